// A deployment: its stages with their times, and its log as it is written.
import { Alert, Button, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import type { Problem } from "../../api/problem";
import { appQuery, deploymentQuery } from "../../api/queries";
import { type Connection, follow } from "../../api/sse";
import { LineCutter, useLines } from "../../live/lines";
import { useAction } from "../../parts/action";
import { bytes } from "../../parts/amounts";
import { ConnectionBadge } from "../../parts/connection_badge";
import { LinkTo } from "../../parts/link";
import { Loaded, Refused } from "../../parts/loading";
import { LogView } from "../../parts/log_view";
import { useMay } from "../../parts/roles";
import { Status } from "../../parts/status";
import { Ago, lasted, useNow } from "../../parts/time";
import { CommitRange } from "./commit_range";
import { Deploy } from "./deploy";
import { about, canRunAgain, hasEnded, shortHash, stateOf, unbegun, who } from "./deployment_words";
import { Redeploy } from "./redeploy";
import { RollBack } from "./roll_back";

const route = getRouteApi("/shell/apps/$app/deployments/$deployment");

export function Deployment() {
  const { app: slug, deployment: id } = route.useParams();
  const deployment = useQuery(deploymentQuery(slug, id));
  return (
    <Stack>
      <LinkTo to="/apps/$app/deployments" params={{ app: slug }} size="sm">
        All deployments
      </LinkTo>
      <Loaded query={deployment}>{(one) => <Shown slug={slug} one={one} />}</Loaded>
    </Stack>
  );
}

function Shown({ slug, one }: { slug: string; one: Schemas["DeploymentAnswer"] }) {
  const app = useQuery(appQuery(slug)).data;
  const may = useMay(app?.organization_id);
  const state = stateOf(one);
  const cancel = useAction({
    run: () =>
      data(
        api.POST("/api/paas/apps/{app}/deployments/{deployment}/cancel", {
          params: { path: { app: slug, deployment: one.id } },
        }),
      ),
    done: "The deployment is being cancelled. What ran before goes on.",
    changes: [["app", slug]],
  });
  return (
    <Stack gap="lg">
      <div className="title-row">
        <div className="grow">
          <Group gap="sm">
            <Title order={2} size="h3" className="break" lineClamp={3} title={about(one)}>
              {one.version ? `v${one.version}: ` : ""}
              {about(one)}
            </Title>
            <Status of={state.of} words={state.words} />
          </Group>
          <Text size="sm" c="dimmed" className="break">
            <bdi>{who(one)}</bdi>, <Ago at={one.created_at} />
            {one.git_commit ? (
              <>
                {" · "}
                {one.git_branch} <span className="mono">{shortHash(one.git_commit)}</span>
              </>
            ) : null}
            {one.buildpack ? ` · ${one.buildpack}` : ""}
            {one.slug_bytes ? ` · ${bytes(one.slug_bytes)}` : ""}
          </Text>
        </div>
        {may.change && !hasEnded(one) ? (
          <Button variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel
          </Button>
        ) : null}
        {may.change && app && hasEnded(one) ? (
          <Group gap="xs">
            {one.can_redeploy ? (
              <Redeploy slug={slug} one={one} disabled={app.status === "suspended"} />
            ) : one.git_commit ? (
              <Deploy app={app} commit={one.git_commit} />
            ) : null}
            {canRunAgain(one) ? <RollBack slug={slug} to={one} disabled={app.status === "suspended"} /> : null}
          </Group>
        ) : null}
      </div>
      <Stages one={one} />
      {one.error ? (
        <Alert
          color={one.status === "failed" ? "red" : "gray"}
          title={`It ${one.status === "failed" ? "failed" : "was cancelled"}, and what ran before goes on`}
          className="break"
        >
          {one.error}
          {one.status === "failed" ? (
            <Text size="sm" mt="xs">
              Its log is below. Fix what it says, and push again{one.can_redeploy ? ", or deploy this again" : ""}.
            </Text>
          ) : null}
        </Alert>
      ) : null}
      <CommitRange slug={slug} one={one} />
      <Log slug={slug} id={one.id} />
    </Stack>
  );
}

const STAGES: Schemas["Stage"][] = ["receive", "build", "package", "release", "deploy"];
const STAGE_WORDS: Record<Schemas["Stage"], string> = {
  receive: "Receive",
  build: "Build",
  package: "Package",
  release: "Release",
  deploy: "Go live",
};

function Stages({ one }: { one: Schemas["DeploymentAnswer"] }) {
  const now = useNow(1_000);
  const of = new Map(one.stages.map((stage) => [stage.stage, stage]));
  return (
    <ol className="stages" aria-label="Stages">
      {STAGES.map((name) => {
        const stage = of.get(name);
        const state = stage ? (stage.failed ? "failed" : stage.finished_at ? "done" : "running") : "waiting";
        return (
          <li key={name} data-state={state}>
            <div>{STAGE_WORDS[name]}</div>
            <Text size="sm" c="dimmed">
              {stage
                ? `${lasted((stage.finished_at ? Date.parse(stage.finished_at) : Math.max(now, Date.parse(stage.started_at))) - Date.parse(stage.started_at))}${stage.failed ? ", failed" : ""}`
                : unbegun(one, STAGES.slice(STAGES.indexOf(name)))}
            </Text>
          </li>
        );
      })}
    </ol>
  );
}

function Log({ slug, id }: { slug: string; id: string }) {
  const { lines, add, clear } = useLines();
  const [connection, setConnection] = useState<Connection | "ended">("connecting");
  const [problem, setProblem] = useState<Problem | null>(null);
  const cache = useQueryClient();

  useEffect(() => {
    const cutter = new LineCutter();
    clear();
    setProblem(null);
    return follow(`/api/paas/apps/${encodeURIComponent(slug)}/deployments/${id}/log/stream`, {
      onConnection: (now, refused) => {
        setConnection(now);
        setProblem(refused ?? null);
      },
      onEvent: (event) => {
        if (event.name === "output") {
          const { text } = JSON.parse(event.data) as { text: string };
          for (const line of cutter.push(text)) add({ text: line });
        } else if (event.name === "end") {
          for (const line of cutter.end()) add({ text: line });
          setConnection("ended");
          void cache.invalidateQueries({ queryKey: ["app", slug] });
          void cache.invalidateQueries({ queryKey: ["apps"] });
        }
      },
      ends: (event) => event.name === "end",
    });
  }, [slug, id, add, clear, cache]);

  return (
    <section aria-labelledby="log">
      <Group mb="xs" gap="sm">
        <Title order={3} size="h4" id="log">
          Log
        </Title>
        {problem ? null : <ConnectionBadge of={connection} />}
      </Group>
      <Refused error={problem} />
      <LogView
        lines={lines}
        label="Log of the deployment"
        empty={connection === "ended" ? "It wrote nothing." : "Nothing was written yet."}
      />
    </section>
  );
}
