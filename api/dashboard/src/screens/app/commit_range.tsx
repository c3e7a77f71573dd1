// What a deployment changes beside the release before it: the two commits, where they can be looked at, and, for whoever
// opens it, all that lies between.
import { Anchor, Text } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import type { Schemas } from "../../api/client";
import { appQuery, deploymentsQuery } from "../../api/queries";
import { Waiting } from "../../parts/loading";
import { commitBefore, compareAddress } from "./compare";
import { shortHash } from "./deployment_words";

const Changes = lazy(() => import("./changes").then((module) => ({ default: module.Changes })));

/** What runs the code of another release has no changes of its own. */
const BUILT = new Set<Schemas["Trigger"]>(["push", "webhook", "api"]);

export function CommitRange({ slug, one }: { slug: string; one: Schemas["DeploymentAnswer"] }) {
  const deployments = useQuery(deploymentsQuery(slug)).data;
  const app = useQuery(appQuery(slug)).data;
  const [isOpen, setOpen] = useState(false);
  const before = deployments ? commitBefore(deployments.items, one) : null;
  const isBuilt = BUILT.has(one.trigger);
  if (!isBuilt && !before) return null;
  const address = before && one.git_commit ? compareAddress(app?.git_url, before, one.git_commit) : null;
  return (
    <div>
      {before && one.git_commit ? (
        <Text size="sm" mb="xs" className="break">
          Compared with the release before:{" "}
          <span className="mono">
            {shortHash(before)}..{shortHash(one.git_commit)}
          </span>
          {address ? (
            <>
              {" · "}
              <Anchor href={address} target="_blank" rel="noreferrer" size="sm">
                At the repository's host <IconExternalLink size={14} aria-label="opens in a new tab" />
              </Anchor>
            </>
          ) : null}
        </Text>
      ) : null}
      {isBuilt ? (
        <details className="changes" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>What changed</summary>
          {isOpen ? (
            <Suspense fallback={<Waiting lines={3} />}>
              <Changes slug={slug} deployment={one.id} before={before} />
            </Suspense>
          ) : null}
        </details>
      ) : null}
    </div>
  );
}
