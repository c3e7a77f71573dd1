// All deployments of an app, newest first, with the way back to those that are kept.
import { Group, Stack, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { allDeploymentsQuery, appQuery } from "../../api/queries";
import { bytes } from "../../parts/amounts";
import { LinkTo } from "../../parts/link";
import { Paged } from "../../parts/paged";
import { useMay } from "../../parts/roles";
import { Status } from "../../parts/status";
import { Ago, lasted } from "../../parts/time";
import { PushCommands } from "../first_steps";
import { Deploy } from "./deploy";
import { about, canRunAgain, shortHash, stateOf, who } from "./deployment_words";
import { Redeploy } from "./redeploy";
import { ROLL_BACK_WORDS, RollBack } from "./roll_back";

const route = getRouteApi("/shell/apps/$app");

type Item = Schemas["DeploymentItem"];

export function Deployments() {
  const { app: slug } = route.useParams();
  const deployments = useInfiniteQuery(allDeploymentsQuery(slug));
  const app = useQuery(appQuery(slug)).data;
  const may = useMay(app?.organization_id);
  return (
    <Stack gap="sm">
      {app?.git_url && may.change ? (
        <Group>
          <Deploy app={app} />
        </Group>
      ) : null}
      <Paged
        query={deployments}
        empty={
          <Stack maw={720}>
            <Text c="dimmed">Nothing was deployed yet. Push to it:</Text>
            <PushCommands app={slug} branch={app?.git_branch ?? "main"} />
          </Stack>
        }
      >
        {(items) => (
          <>
            <ul className="plain-list rows" aria-label="Deployments">
              {items.map((one) => (
                <Row key={one.id} slug={slug} one={one} may={may.change} />
              ))}
            </ul>
            {may.change && items.some(canRunAgain) ? (
              <Text size="sm" c="dimmed">
                {ROLL_BACK_WORDS}
              </Text>
            ) : null}
          </>
        )}
      </Paged>
    </Stack>
  );
}

function Row({ slug, one, may }: { slug: string; one: Item; may: boolean }) {
  const state = stateOf(one);
  return (
    <li>
      <Text fw={600} w={44} className="numeric">
        {one.version ? `v${one.version}` : "–"}
      </Text>
      <div className="grow">
        <LinkTo
          to="/apps/$app/deployments/$deployment"
          params={{ app: slug, deployment: one.id }}
          className="break"
          fw={500}
          lineClamp={2}
          title={about(one)}
        >
          {about(one)}
        </LinkTo>
        <Text size="sm" c="dimmed" className="break">
          <bdi>{who(one)}</bdi>, <Ago at={one.created_at} />
          {one.git_commit ? (
            <>
              {" · "}
              <span className="mono">{shortHash(one.git_commit)}</span>
            </>
          ) : null}
          {one.finished_at ? ` · took ${took(one)}` : ""}
          {one.slug_bytes ? ` · ${bytes(one.slug_bytes)}` : ""}
        </Text>
        {one.error ? (
          <Text size="sm" c="red" className="break" lineClamp={2}>
            {one.error}
          </Text>
        ) : null}
      </div>
      <Status of={state.of} words={state.words} />
      {may && one.status !== "succeeded" ? <Redeploy slug={slug} one={one} inList /> : null}
      {may && canRunAgain(one) ? <RollBack slug={slug} to={one} inList /> : null}
    </li>
  );
}

function took(one: Item): string {
  return lasted(Date.parse(one.finished_at ?? one.created_at) - Date.parse(one.created_at));
}
