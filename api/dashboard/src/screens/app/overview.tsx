// An app at a glance: whether it runs, since when and from what, what it costs, and what can be done with it.
import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { IconPlayerPlay, IconPlayerStop, IconRefresh, IconRocket } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, deploymentsQuery, eventsQuery, isBusy, processesQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count, money, perMonth } from "../../parts/amounts";
import { Happened } from "../../parts/happened";
import { LinkTo } from "../../parts/link";
import { Loaded } from "../../parts/loading";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { Status } from "../../parts/status";
import { Ago } from "../../parts/time";
import { PushCommands } from "../first_steps";
import { who } from "./deployment_words";

const route = getRouteApi("/shell/apps/$app");

export function Overview() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug));
  return (
    <Loaded query={app}>
      {(app) => (
        <Stack gap="xl">
          <Actions app={app} />
          {app.version ? <Facts app={app} /> : <FirstPush app={app} />}
          <Processes slug={slug} />
          <Events slug={slug} />
        </Stack>
      )}
    </Loaded>
  );
}

function FirstPush({ app }: { app: Schemas["AppAnswer"] }) {
  const deployments = useQuery(deploymentsQuery(app.slug));
  const under = deployments.data?.items.find((one) => isBusy(one.status));
  return (
    <section aria-labelledby="first-push">
      <Title order={2} size="h4" id="first-push" mb="xs">
        {under ? "The first release is on its way" : "Push your code"}
      </Title>
      {under ? (
        <Text>
          <LinkTo to="/apps/$app/deployments/$deployment" params={{ app: app.slug, deployment: under.id }}>
            Watch it being built
          </LinkTo>
        </Text>
      ) : (
        <Stack gap="xs" maw={720}>
          <Text c="dimmed" size="sm">
            In your project's folder. This page changes by itself when the push arrives.
          </Text>
          <PushCommands app={app.slug} branch={app.git_branch} />
          <Text c="dimmed" size="sm">
            Is the push refused? Then your <LinkTo to="/account">SSH key</LinkTo> is not known yet.
          </Text>
        </Stack>
      )}
    </section>
  );
}

function Facts({ app }: { app: Schemas["AppAnswer"] }) {
  const deployments = useQuery(deploymentsQuery(app.slug));
  const current = deployments.data?.items.find((one) => one.is_current);
  const replicas = Object.values(app.formation).reduce((sum, one) => sum + one, 0);
  return (
    <dl className="cards plain-list">
      <div className="card">
        <dt>Release</dt>
        <dd>
          {current ? (
            <LinkTo to="/apps/$app/deployments/$deployment" params={{ app: app.slug, deployment: current.id }}>
              v{app.version}
            </LinkTo>
          ) : (
            `v${app.version}`
          )}
        </dd>
        <dd className="card-more">
          {current ? (
            <>
              {who(current)}, <Ago at={current.finished_at ?? current.created_at} />
            </>
          ) : (
            "\u00a0"
          )}
        </dd>
      </div>
      <div className="card">
        <dt>Processes</dt>
        <dd>{count(replicas, "replica")}</dd>
        <dd className="card-more">
          {Object.entries(app.formation)
            .map(([type, number]) => `${type} × ${number}`)
            .join(", ")}
        </dd>
      </div>
      <div className="card">
        <dt>Plan</dt>
        <dd>{app.plan}</dd>
        <dd className="card-more">{money(app.price_per_hour)} a replica and hour</dd>
      </div>
      <div className="card">
        <dt>Cost</dt>
        <dd>{money(app.cost_per_hour)} an hour</dd>
        <dd className="card-more">{perMonth(app.cost_per_hour)} a month at that</dd>
      </div>
    </dl>
  );
}

function Actions({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const path = { app: app.slug };
  const changes = [["app", app.slug], ["apps"]];
  const restart = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/restart", { params: { path } })),
    done: "The processes are being replaced, one after the other.",
    changes,
  });
  const stop = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/stop", { params: { path } })),
    done: "The app is being stopped.",
    changes,
  });
  const start = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/start", { params: { path } })),
    done: "The app is being started.",
    changes,
  });
  const deploy = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/deploy", { params: { path }, body: {} })),
    done: "The repository is being deployed.",
    changes,
  });
  if (!may.change) {
    return (
      <Text size="sm" c="dimmed">
        {LOOK_ONLY}
      </Text>
    );
  }
  if (!app.version && !app.git_url) return null;
  return (
    <Group gap="sm">
      {app.git_url ? (
        <Button
          leftSection={<IconRocket size={16} />}
          loading={deploy.isPending}
          disabled={app.status === "suspended"}
          onClick={() => deploy.mutate()}
        >
          Deploy {app.git_branch}
        </Button>
      ) : null}
      {app.version && app.status !== "stopped" ? (
        <>
          <Button
            variant="default"
            leftSection={<IconRefresh size={16} />}
            loading={restart.isPending}
            disabled={app.status === "suspended"}
            onClick={() => restart.mutate()}
          >
            Restart
          </Button>
          <Button
            variant="default"
            leftSection={<IconPlayerStop size={16} />}
            loading={stop.isPending}
            disabled={app.status === "suspended"}
            onClick={() => stop.mutate()}
          >
            Stop
          </Button>
        </>
      ) : null}
      {app.status === "stopped" ? (
        <Button leftSection={<IconPlayerPlay size={16} />} loading={start.isPending} onClick={() => start.mutate()}>
          Start
        </Button>
      ) : null}
    </Group>
  );
}

function Processes({ slug }: { slug: string }) {
  const processes = useQuery(processesQuery(slug));
  if (!processes.data || processes.data.length === 0) return null;
  return (
    <section aria-labelledby="processes">
      <Title order={2} size="h4" id="processes" mb="xs">
        Processes
      </Title>
      <ul className="plain-list rows">
        {processes.data.map((one) => (
          <li key={`${one.process}.${one.replica}`}>
            <span className="mono grow">
              {one.process}.{one.replica}
            </span>
            {one.error ? (
              <Text size="sm" c="red" className="break">
                {one.error}
              </Text>
            ) : null}
            <Status of={one.state} />
            {one.since ? (
              <Text size="sm" c="dimmed">
                since <Ago at={one.since} />
              </Text>
            ) : null}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Events({ slug }: { slug: string }) {
  const events = useQuery(eventsQuery(slug));
  if (!events.data || events.data.length === 0) return null;
  return (
    <section aria-labelledby="happened">
      <Title order={2} size="h4" id="happened" mb="xs">
        What happened
      </Title>
      <Happened events={events.data} />
    </section>
  );
}
