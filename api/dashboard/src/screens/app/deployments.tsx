// All deployments of an app, newest first, with the way back to those that are kept.
import { Button, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, deploymentsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { bytes } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";
import { LinkTo } from "../../parts/link";
import { Loaded } from "../../parts/loading";
import { useMay } from "../../parts/roles";
import { Status } from "../../parts/status";
import { Ago, lasted } from "../../parts/time";
import { PushCommands } from "../first_steps";
import { about, hasEnded, stateOf, who } from "./deployment_words";

const route = getRouteApi("/shell/apps/$app");

type Item = Schemas["DeploymentItem"];

export function Deployments() {
  const { app: slug } = route.useParams();
  const deployments = useQuery(deploymentsQuery(slug));
  const app = useQuery(appQuery(slug)).data;
  const may = useMay(app?.organization_id);
  const [back, setBack] = useState<Item | null>(null);
  return (
    <Loaded query={deployments}>
      {({ items }) =>
        items.length === 0 ? (
          <Stack maw={720}>
            <Text c="dimmed">Nothing was deployed yet. Push to it:</Text>
            <PushCommands app={slug} branch={app?.git_branch ?? "main"} />
          </Stack>
        ) : (
          <>
            <ul className="plain-list rows" aria-label="Deployments">
              {items.map((one) => (
                <Row key={one.id} slug={slug} one={one} onBack={may.change ? () => setBack(one) : undefined} />
              ))}
            </ul>
            {back ? <RollBack slug={slug} to={back} onClose={() => setBack(null)} /> : null}
          </>
        )
      }
    </Loaded>
  );
}

function Row({ slug, one, onBack }: { slug: string; one: Item; onBack?: (() => void) | undefined }) {
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
        >
          {about(one)}
        </LinkTo>
        <Text size="sm" c="dimmed" className="break">
          {who(one)}, <Ago at={one.created_at} />
          {one.git_commit ? (
            <>
              {" · "}
              <span className="mono">{one.git_commit.slice(0, 7)}</span>
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
      {onBack && one.is_kept && !one.is_current && hasEnded(one) ? (
        <Button size="xs" variant="default" onClick={onBack} aria-label={`Roll back to v${one.version}`}>
          Roll back
        </Button>
      ) : null}
    </li>
  );
}

function took(one: Item): string {
  return lasted(Date.parse(one.finished_at ?? one.created_at) - Date.parse(one.created_at));
}

function RollBack({ slug, to, onClose }: { slug: string; to: Item; onClose: () => void }) {
  const navigate = useNavigate();
  const rollback = useAction({
    run: () =>
      data(
        api.POST("/api/paas/apps/{app}/rollback", {
          params: { path: { app: slug } },
          body: { version: to.version ?? null },
        }),
      ),
    changes: [["app", slug], ["apps"]],
    onDone: (queued) =>
      void navigate({
        to: "/apps/$app/deployments/$deployment",
        params: { app: slug, deployment: queued.deployment_id },
      }),
    quiet: true,
  });
  return (
    <Dialog
      title={`Roll back to v${to.version}?`}
      onClose={onClose}
      onSubmit={() => rollback.mutate()}
      action="Roll back"
      pending={rollback.isPending}
      error={rollback.error}
    >
      <Text size="sm">
        v{to.version} ({about(to)}) runs again, with the config vars of now and without a build. It becomes a release of
        its own.
      </Text>
    </Dialog>
  );
}
