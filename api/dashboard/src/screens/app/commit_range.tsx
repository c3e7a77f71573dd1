// What a deployment changes beside the release before it: the commits, where they can be looked at, and how.
import { Anchor, Text } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "../../api/client";
import { appQuery, deploymentsQuery } from "../../api/queries";
import { Command } from "../../parts/command";
import { commitBefore, compareAddress } from "./compare";

const SHORT = 10;

export function CommitRange({ slug, one }: { slug: string; one: Schemas["DeploymentAnswer"] }) {
  const deployments = useQuery(deploymentsQuery(slug)).data;
  const app = useQuery(appQuery(slug)).data;
  const before = deployments ? commitBefore(deployments.items, one) : null;
  if (!before || !one.git_commit) return null;
  const address = compareAddress(app?.git_url, before, one.git_commit);
  return (
    <section aria-label="What changed">
      <Text size="sm" mb="xs" className="break">
        Beside the release before:{" "}
        <span className="mono">
          {before.slice(0, SHORT)}..{one.git_commit.slice(0, SHORT)}
        </span>
        {address ? (
          <>
            {" · "}
            <Anchor href={address} target="_blank" rel="noreferrer" size="sm">
              What changed <IconExternalLink size={14} aria-label="opens in a new tab" />
            </Anchor>
          </>
        ) : null}
      </Text>
      <Command
        text={`git diff ${before.slice(0, SHORT)} ${one.git_commit.slice(0, SHORT)}`}
        label="Copy the command that shows what changed"
      />
    </section>
  );
}
