// Which commits a deployment brings beside the release before it, and where they can be looked at.
import type { Schemas } from "../../api/client";

type Item = Schemas["DeploymentItem"];

/** The commit that was live before, of deployments newest first; null where there is none or it is the same. */
export function commitBefore(all: readonly Item[], one: Pick<Item, "id" | "created_at" | "git_commit">): string | null {
  if (!one.git_commit) return null;
  const before = all.find(
    (other) =>
      other.id !== one.id &&
      other.created_at < one.created_at &&
      other.status === "succeeded" &&
      Boolean(other.git_commit),
  );
  return before?.git_commit && before.git_commit !== one.git_commit ? before.git_commit : null;
}

/** How hosts that are known show what lies between two commits. */
const HOSTS: [RegExp, (repository: string, from: string, to: string) => string][] = [
  [/^github\.com$/, (repository, from, to) => `${repository}/compare/${from}...${to}`],
  [/(^|\.)gitlab\./, (repository, from, to) => `${repository}/-/compare/${from}...${to}`],
  [/^codeberg\.org$|(^|\.)(gitea|forgejo)\./, (repository, from, to) => `${repository}/compare/${from}...${to}`],
  [/^bitbucket\.org$/, (repository, from, to) => `${repository}/branches/compare/${to}%0D${from}#diff`],
];
const COMMIT = /^[0-9a-f]{7,64}$/;

/** The page of the repository's host that shows the difference; null where the host is not known. */
export function compareAddress(gitUrl: string | null | undefined, from: string, to: string): string | null {
  if (!gitUrl || !COMMIT.test(from) || !COMMIT.test(to)) return null;
  const url = /^(?:https?:\/\/|ssh:\/\/)?(?:[^@/]+@)?([a-z0-9.-]+)(?::\d+(?=\/))?[:/](.+?)(?:\.git)?\/?$/i.exec(gitUrl);
  const [host, path] = [url?.[1]?.toLowerCase(), url?.[2]];
  if (!host || !path || !/^[\w.~/-]+$/.test(path)) return null;
  const known = HOSTS.find(([name]) => name.test(host));
  return known ? known[1](`https://${host}/${path}`, from, to) : null;
}
