// The Skypanel that `infra/dev/e2e start` started, its admin commands, and people who push to it.
import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

interface Instance {
  programs: string;
  data_dir: string;
  pid_file: string;
  ssh_port: number;
  api_port: number;
  http_port: number;
}

export const ROOT = resolve(import.meta.dirname, "../../..");
const PUSH_LIMIT_MS = 150_000;
const COMMAND_LIMIT_MS = 60_000;

const described = process.env.SKYPANEL_E2E ?? join(ROOT, ".work/e2e/instance.json");
export const instance = JSON.parse(readFileSync(described, "utf8")) as Instance;
/** The dashboard of that Skypanel; one that is being worked on may stand in for it. */
export const ADDRESS = process.env.SKYPANEL_DASHBOARD ?? `http://127.0.0.1:${instance.api_port}`;

let made = 0;

/** A name that no other test uses; a DNS label. */
export function unique(prefix: string): string {
  made += 1;
  return `${prefix}-${(Date.now() % 100_000_000).toString(36)}${made}`;
}

/** `skypanel admin …`; what it prints. */
export function admin(...words: string[]): string {
  return execFileSync(join(instance.programs, "skypanel"), ["admin", ...words], {
    env: { ...process.env, SKYPANEL_DATA_DIR: instance.data_dir },
    encoding: "utf8",
    timeout: COMMAND_LIMIT_MS,
  });
}

/** What SQL answers, columns separated by `|`; for what no command of Skypanel brings about. */
export function query(sql: string): string {
  const words = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username=skypanel", "--dbname=postgres"];
  words.push("--host", join(instance.data_dir, "postgres/socket"), "--set", "ON_ERROR_STOP=1", "--command", sql);
  return execFileSync("psql", words, { encoding: "utf8", timeout: COMMAND_LIMIT_MS }).trim();
}

/**
 * Gives an organisation so many apps that nothing was pushed to yet, `<prefix>-0000` and so on, and answers what takes
 * them away again. Made in the database, as so many commands would take minutes.
 */
export function manyApps(organization: string, prefix: string, number: number): () => void {
  query(`
    INSERT INTO paas_applications (id, organization_id, name, slug, subdomain, plan_id)
    SELECT gen_random_uuid(), organization.id, slug, slug, slug, (SELECT id FROM paas_plans ORDER BY id LIMIT 1)
    FROM organizations AS organization,
        (SELECT '${prefix}-' || to_char(number, 'FM0000') AS slug FROM generate_series(0, ${number - 1}) AS number) AS named
    WHERE organization.name = '${organization}'`);
  return () => query(`DELETE FROM paas_applications WHERE slug LIKE '${prefix}-%'`);
}

/** Somebody with an account, a key, and a directory for their repositories. */
export class Person {
  readonly home = mkdtempSync(join(tmpdir(), "skypanel-browser-"));
  readonly password: string;

  constructor(
    readonly email: string,
    output: string,
  ) {
    const password = /Password[^:]*:\s+(\S+)/.exec(output)?.[1];
    if (!password) throw new Error(`user:create said no password: ${output}`);
    this.password = password;
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "browser", "-f", this.key]);
  }

  static member(organization: string, role: "owner" | "developer" | "viewer"): Person {
    const email = `${unique(role)}@e2e.test`;
    return new Person(email, admin("user:create", email, "--org", organization, "--role", role));
  }

  static admin(): Person {
    const email = `${unique("admin")}@e2e.test`;
    return new Person(email, admin("user:create", email, "--admin"));
  }

  get key() {
    return join(this.home, "id_ed25519");
  }

  get publicKey() {
    return readFileSync(`${this.key}.pub`, "utf8").trim();
  }

  registerKey() {
    admin("key:add", "--email", this.email, `${this.key}.pub`);
  }

  /** Has an app of theirs destroyed, which goes on after the answer. */
  destroy(app: string) {
    this.command(`apps:destroy ${app} --confirm ${app}`);
  }

  /** Runs a command line on the platform. */
  command(line: string) {
    const words = [...this.ssh().slice(1), `-p${instance.ssh_port}`, "git@127.0.0.1", "--", line];
    execFileSync("ssh", words, { timeout: COMMAND_LIMIT_MS });
  }

  /** The words that call `ssh` with their key and none of the machine's own settings. */
  ssh(): string[] {
    const words = ["ssh", "-F/dev/null", `-i${this.key}`, "-oIdentitiesOnly=yes", "-oIdentityAgent=none"];
    words.push(
      `-oUserKnownHostsFile=${this.home}/known_hosts`,
      "-oStrictHostKeyChecking=accept-new",
      "-oBatchMode=yes",
    );
    return words;
  }

  /** A repository with a copy of an example, or with the given files. */
  repository(from: string | Record<string, string>): Repository {
    return new Repository(this, from);
  }

  /** Adds their key, and has an app of these files live; its repository. */
  deploy(app: string, from: string | Record<string, string>): Repository {
    this.registerKey();
    const repository = this.repository(from);
    repository.commit("First");
    const pushed = repository.push(app);
    if (pushed.status !== 0) throw new Error(`The push of ${app} failed: ${pushed.stderr}`);
    return repository;
  }

  remove() {
    rmSync(this.home, { recursive: true, force: true });
  }
}

export class Repository {
  readonly path: string;

  constructor(
    readonly person: Person,
    from: string | Record<string, string>,
  ) {
    this.path = mkdtempSync(join(person.home, "repository-"));
    if (typeof from === "string") cpSync(join(ROOT, "examples", from), this.path, { recursive: true });
    else for (const [name, content] of Object.entries(from)) this.write(name, content);
    this.git("init", "--quiet", "--initial-branch=main");
  }

  write(name: string, content: string) {
    writeFileSync(join(this.path, name), content);
  }

  commit(message: string) {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message", message);
  }

  /** Pushes, whatever comes of it; output and exit code are for the caller. */
  push(app: string): SpawnSyncReturns<string> {
    return spawnSync("git", ["push", "--force", `ssh://git@127.0.0.1:${instance.ssh_port}/${app}.git`, "main"], {
      ...this.options(),
      timeout: PUSH_LIMIT_MS,
    });
  }

  /** The same without waiting for its end, which is the exit code. */
  pushInBackground(app: string): Promise<number | null> {
    const remote = `ssh://git@127.0.0.1:${instance.ssh_port}/${app}.git`;
    const git = spawn("git", ["push", "--force", remote, "main"], {
      ...this.options(),
      timeout: PUSH_LIMIT_MS,
      stdio: "ignore",
    });
    return new Promise((resolve, reject) => git.on("error", reject).on("exit", resolve));
  }

  private git(...words: string[]) {
    execFileSync("git", words, { ...this.options(), timeout: COMMAND_LIMIT_MS });
  }

  private options() {
    const who = { NAME: "Ada Example", EMAIL: "ada@example.com" };
    return {
      cwd: this.path,
      encoding: "utf8" as const,
      env: {
        ...process.env,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_TERMINAL_PROMPT: "0",
        GIT_SSH_COMMAND: this.person.ssh().join(" "),
        GIT_AUTHOR_NAME: who.NAME,
        GIT_AUTHOR_EMAIL: who.EMAIL,
        GIT_COMMITTER_NAME: who.NAME,
        GIT_COMMITTER_EMAIL: who.EMAIL,
      },
    };
  }
}

/** Asks an app through the edge, by the platform's name for it or another; its answer. */
export function visit(app: string, path = "/", host = `${app}.localhost`): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: instance.http_port, path, headers: { host } };
    const asked = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece) => {
        text += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.setTimeout(COMMAND_LIMIT_MS, () => asked.destroy(new Error(`${app}${path} did not answer`)));
    asked.on("error", reject).end();
  });
}

/** Ends the Skypanel as somebody who stops the machine's service does; answers once it is gone. */
export async function stopSkypanel() {
  const pid = Number(readFileSync(instance.pid_file, "utf8"));
  process.kill(pid, "SIGTERM");
  const until = Date.now() + COMMAND_LIMIT_MS;
  while (existsSync(`/proc/${pid}`)) {
    if (Date.now() > until) throw new Error(`Skypanel (process ${pid}) does not stop`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Has it run again, on the same data. */
export function startSkypanel() {
  execFileSync(join(ROOT, "infra/dev/e2e"), ["start"], {
    cwd: ROOT,
    env: { ...process.env, SKYPANEL_PROGRAMS_DIR: instance.programs },
    stdio: "ignore",
    timeout: PUSH_LIMIT_MS,
  });
}
