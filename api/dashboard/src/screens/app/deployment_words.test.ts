import { expect, test } from "vitest";
import type { Schemas } from "../../api/client";
import { about, releaseBefore, stateOf, unbegun, who } from "./deployment_words";

const deployment = (of: Partial<Schemas["DeploymentItem"]>): Schemas["DeploymentItem"] => ({
  id: "id",
  created_at: "2026-11-29T12:00:00Z",
  trigger: "push",
  status: "succeeded",
  is_current: false,
  is_kept: true,
  can_redeploy: false,
  description: null,
  ...of,
});

test("the release to go back to is the newest kept one before the one that runs", () => {
  const [failed, live] = [deployment({ status: "failed", is_kept: false }), deployment({ is_current: true })];
  const [pruned, before] = [deployment({ is_kept: false }), deployment({ version: 2 })];
  expect(releaseBefore([failed, live, pruned, before, deployment({ version: 1 })])).toBe(before);
  expect(releaseBefore([live])).toBeUndefined();
  // Nothing runs yet, so that there is nothing to go back from.
  expect(releaseBefore([failed, before])).toBeUndefined();
});

test("a deployment is told by who made it, what of, and how it stands", () => {
  expect(who(deployment({ git_author: "Ada <ada@example.com>" }))).toBe("Ada");
  expect(who(deployment({ created_by: "ada@example.com", git_author: "Bob" }))).toBe("ada@example.com");
  expect(who(deployment({}))).toBe("a webhook");
  expect(about(deployment({ git_message: "First line\n\nMore" }))).toBe("First line");
  expect(about(deployment({ trigger: "rollback", parent_version: 3 }))).toBe("Rollback to v3");
  expect(stateOf(deployment({ is_current: true })).words).toBe("live");
  expect(stateOf(deployment({})).words).toBe("was live");
  expect(stateOf(deployment({ status: "failed" }))).toEqual({ of: "failed" });
});

const STAGES: Schemas["Stage"][] = ["receive", "build", "package", "release", "deploy"];

function words(status: Schemas["DeploymentStatus"], begun: Schemas["Stage"][]): string[] {
  const stages = begun.map((stage) => ({ stage }));
  const one = { status, stages } as Schemas["DeploymentAnswer"];
  const unknown = STAGES.filter((stage) => !begun.includes(stage));
  return unknown.map((stage) => `${stage} ${unbegun(one, STAGES.slice(STAGES.indexOf(stage)))}`);
}

test("a stage is waited for, left out, or not reached", () => {
  expect(words("building", ["receive", "build"])).toEqual(["package waits", "release waits", "deploy waits"]);
  expect(words("succeeded", ["deploy"])).toContain("build not needed");
  expect(words("failed", ["build"])).toEqual([
    "receive not needed",
    "package not reached",
    "release not reached",
    "deploy not reached",
  ]);
  expect(words("cancelled", [])).toContain("receive not reached");
});
