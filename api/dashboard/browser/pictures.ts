// Takes the pictures of the user guide: eight pages of a platform on which somebody works.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { admin, Person, ROOT, visit } from "./instance";

const PLACE = join(ROOT, "docs/pictures");
const WIDTH_PX = 960;
/** So long the shop is visited before its charts are looked at: they have a point every ten seconds. */
const VISITED_MS = 150_000;

const SHOP = {
  ...TALKING,
  "server.js": `
    const level = { 200: "info: ", 404: "\u001b[33mwarning\u001b[0m: ", 500: "\u001b[31merror\u001b[0m: " };
    let work = 0;
    require("node:http").createServer((request, response) => {
      for (let turn = 0; turn < 2e6; turn += 1) work += Math.sqrt(turn);
      const status = request.url === "/lost" ? 404 : request.url === "/basket" ? 500 : 200;
      console.log(level[status] + request.method + " " + request.url + (status === 500 ? " the basket is gone" : ""));
      response.writeHead(status).end("Hello");
    }).listen(process.env.PORT, () => console.log("\u001b[32mlistening\u001b[0m on " + process.env.PORT));
  `,
};

afterAll(closeBrowser);

test("the pictures are taken", async () => {
  const email = "ada@acme.example";
  const ada = new Person(email, admin("user:create", email, "--org", "acme", "--role", "owner", "--admin"));
  ada.registerKey();
  for (const slug of ["shop", "blog"]) {
    const repository = ada.repository(SHOP);
    for (const message of slug === "shop" ? ["Open the shop", "Show prices", "Keep the basket"] : ["Say hello"]) {
      repository.write("change.txt", message);
      repository.commit(message);
      const pushed = repository.push(slug);
      expect(pushed.status, pushed.stderr).toBe(0);
    }
  }
  ada.command("apps:create docs");
  ada.command("ps:plan standard -a shop");
  ada.command("ps:scale web=2 -a shop");
  const until = Date.now() + VISITED_MS;
  for (let turn = 0; Date.now() < until; turn += 1) {
    await visit("shop", ["/", "/products", "/products/7", "/lost", "/checkout", "/basket"][(turn * 7) % 6]);
    await new Promise((resolve) => setTimeout(resolve, 40 + 35 * Math.sin(Date.now() / 9_000)));
  }

  const visitor = await Visitor.signedIn(ada);
  const { page } = visitor;
  const take = async (name: string) => {
    await visitor.loaded();
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const png = await page.screenshot({ animations: "disabled" });
    const drawn = await visitor.context.newPage();
    const webp = await drawn.evaluate(
      async ([png, width]) => {
        const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
        const canvas = new OffscreenCanvas(width, Math.round((picture.height * width) / picture.width));
        const context = canvas.getContext("2d");
        if (!context) throw new Error("nothing to draw on");
        context.imageSmoothingQuality = "high";
        context.drawImage(picture, 0, 0, canvas.width, canvas.height);
        const bytes = await (await canvas.convertToBlob({ type: "image/webp", quality: 0.75 })).arrayBuffer();
        return [...new Uint8Array(bytes)];
      },
      [png.toString("base64"), WIDTH_PX] as const,
    );
    await drawn.close();
    mkdirSync(PLACE, { recursive: true });
    writeFileSync(join(PLACE, `${name}.webp`), Buffer.from(webp));
  };
  await visitor.goto("/apps", "Apps");
  await take("apps");
  await visitor.goto("/apps/shop");
  await page.getByText("web.2").waitFor();
  await take("app");
  await visitor.goto("/apps/shop/deployments");
  await page.getByRole("link", { name: "Keep the basket" }).click();
  await page.locator('[data-connection="ended"]').waitFor();
  await take("deployment");
  await visitor.goto("/apps/shop/logs?source=app&process=web");
  await page.locator(".log-line", { hasText: "/checkout" }).last().waitFor();
  await take("logs");
  await page.emulateMedia({ colorScheme: "dark" });
  await visitor.goto("/apps/shop/metrics");
  await page.locator(".chart", { hasText: "Memory" }).getByText("web.1").waitFor();
  // Closer to the minutes in which it was visited.
  const chart = await page.locator(".u-over").first().boundingBox();
  if (chart) {
    await page.mouse.move(chart.x + chart.width * 0.945, chart.y + 60);
    await page.mouse.down();
    await page.mouse.move(chart.x + chart.width - 1, chart.y + 60, { steps: 5 });
    await page.mouse.up();
    await page.mouse.move(0, 0);
  }
  await take("metrics");
  await visitor.goto("/apps/shop/console");
  await page.getByRole("button", { name: "Run" }).click();
  const screen = page.locator(".xterm-rows");
  await screen
    .getByText("$")
    .first()
    .waitFor({ timeout: 4 * SOON_MS });
  for (const [line, answer] of [
    ["node --version", /^v\d/],
    ["ls", /server\.js/],
    ["node -p 6*7", /^42$/],
  ] as const) {
    await page.keyboard.type(line);
    await page.keyboard.press("Enter");
    await screen.getByText(answer).first().waitFor();
  }
  await take("console");
  await page.emulateMedia({ colorScheme: "light" });
  await visitor.goto("/apps/shop/scale");
  await page.getByRole("slider", { name: "Replicas of web" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("[data-cost]").waitFor();
  await take("scale");
  await visitor.goto("/admin", "Admin");
  await take("admin");
  await visitor.leave();
  for (const slug of ["shop", "blog", "docs"]) ada.destroy(slug);
  ada.remove();
});
