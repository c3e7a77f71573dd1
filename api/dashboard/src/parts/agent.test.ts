import { expect, test } from "vitest";
import { agentWords } from "./agent";

test("browsers are told by their name, and others as they say", () => {
  expect(agentWords("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")).toBe(
    "Firefox 140 on Linux",
  );
  const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
  expect(agentWords(`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/148.0.0.0 Safari/537.36`)).toBe(
    "Chrome 148 on Windows",
  );
  expect(agentWords(`Mozilla/5.0 (Macintosh) ${webkit} Chrome/148.0.0.0 Safari/537.36 Edg/148.0.0.0`)).toBe("Edge 148");
  expect(
    agentWords("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1"),
  ).toBe("Safari 18 on iOS");
  expect(agentWords("curl/8.0")).toBe("curl/8.0");
  expect(agentWords(null)).toBe("An unknown browser");
});
