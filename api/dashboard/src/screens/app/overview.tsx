// An app at a glance: whether it runs, since when and from what, what it costs, and what can be done with it.
import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { IconPlayerPlay, IconPlayerStop, IconRefresh } from "@tabler/icons-react";
import { type UseQueryResult, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { api, data, type Schemas } from "../../api/client";
import {
  appQuery,
  deploymentQuery,
  deploymentsQuery,
  eventsQuery,
  isBusy,
  metricsQuery,
  processesQuery,
} from "../../api/queries";
import { useAction } from "../../parts/action";
import { cores, count, duration, hourly, memory, perMonth, perSecond } from "../../parts/amounts";
import { Fact } from "../../parts/fact";
import { Happened } from "../../parts/happened";
import { LinkTo } from "../../parts/link";
import { Loaded, Waiting } from "../../parts/loading";
import { Paged, type PagedProps } from "../../parts/paged";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { Status } from "../../parts/status";
import { Ago } from "../../parts/time";
import { PushCommands } from "../first_steps";
import { Deploy } from "./deploy";
import { releaseBefore, who } from "./deployment_words";
import { failedWords, ofNow } from "./live_numbers";
import { RollBack } from "./roll_back";

const route = getRouteApi("/shell/apps/$app");

export function Overview() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug));
  const deployments = useQuery(deploymentsQuery(slug));
  const processes = useQuery(processesQuery(slug));
  const events = useInfiniteQuery(eventsQuery(slug));
  // All of it comes at once, so that nothing moves when the last of it is there.
  const waits = [deployments, processes, events].some((query) => query.isPending);
  return (
    <Loaded query={app}>
      {(app) => (
        <Stack gap="xl">
          <Actions app={app} deployments={deployments.data?.items ?? []} />
          {waits ? (
            <Waiting />
          ) : (
            <>
              {app.version ? (
                <Facts app={app} deployments={deployments.data?.items ?? []} />
              ) : (
                <Loaded query={deployments}>{({ items }) => <FirstPush app={app} deployments={items} />}</Loaded>
              )}
              {app.version ? <Processes app={app} query={processes} /> : null}
              <Events query={events} />
            </>
          )}
        </Stack>
      )}
    </Loaded>
  );
}

interface OfApp {
  app: Schemas["AppAnswer"];
  /** The newest first. */
  deployments: readonly Schemas["DeploymentItem"][];
}

function FirstPush({ app, deployments }: OfApp) {
  const under = deployments.find((one) => isBusy(one.status));
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
          <PushCommands app={app.slug} branch={app.git_branch} />
          <Text c="dimmed" size="sm">
            This page changes by itself when the push arrives. Is it refused? Then your{" "}
            <LinkTo to="/account">SSH key</LinkTo> is not known yet.
          </Text>
        </Stack>
      )}
    </section>
  );
}

function Facts({ app, deployments }: OfApp) {
  const listed = deployments.find((one) => one.is_current);
  // Newer ones may have pushed it off the first page.
  const id = app.current_deployment_id;
  const alone = useQuery({
    ...deploymentQuery(app.slug, id ?? ""),
    enabled: Boolean(id) && !listed && deployments.length > 0,
  });
  const current = listed ?? alone.data;
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
              <bdi>{who(current)}</bdi>, <Ago at={current.finished_at ?? current.created_at} />
            </>
          ) : (
            "\u00a0"
          )}
        </dd>
      </div>
      <Now slug={app.slug} />
      <Fact
        title="Processes"
        value={count(replicas, "replica")}
        more={
          Object.entries(app.formation)
            .map(([type, number]) => `${type} × ${number}`)
            .join(", ") || "none"
        }
      />
      <Fact
        title="Cost"
        value={`${hourly(app.cost_per_hour)} an hour`}
        more={`plan ${app.plan}, ${perMonth(app.cost_per_hour)} a month at that`}
      />
    </dl>
  );
}

/** What it uses and answers at this moment. */
function Now({ slug }: { slug: string }) {
  const metrics = useQuery(metricsQuery(slug, "1h"));
  const measured = metrics.data;
  const unknown = metrics.isPending ? "\u00a0" : metrics.isError ? "cannot be read now" : "not measured now";
  const cpu = measured && ofNow(measured, "cpu");
  const used = measured && ofNow(measured, "memory");
  const limit = measured && ofNow(measured, "memory_limit");
  const requests = (measured && ofNow(measured, "requests")) ?? 0;
  const slow = requests > 0 ? measured && ofNow(measured, "response_time_p95") : undefined;
  return (
    <>
      <Fact
        title="Requests"
        value={measured ? perSecond(requests) : "…"}
        more={measured ? `${failedWords(measured)}${slow === undefined ? "" : `; p95 ${duration(slow)}`}` : unknown}
      />
      <Fact
        title="CPU"
        value={cpu === undefined ? "…" : cores(cpu)}
        more={cpu === undefined ? unknown : "all replicas"}
      />
      <Fact
        title="Memory"
        value={used === undefined ? "…" : memory(used)}
        more={used === undefined ? unknown : limit ? `of ${memory(limit)}, all replicas` : "all replicas"}
      />
    </>
  );
}

function Actions({ app, deployments }: OfApp) {
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
  const before = releaseBefore(deployments);
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
      <Deploy app={app} />
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
      {before ? <RollBack slug={app.slug} to={before} disabled={app.status === "suspended"} /> : null}
    </Group>
  );
}

function Processes({ app, query }: { app: Schemas["AppAnswer"]; query: UseQueryResult<Schemas["ProcessItem"][]> }) {
  return (
    <section aria-labelledby="processes">
      <Title order={2} size="h4" id="processes" mb="xs">
        Processes
      </Title>
      <Loaded query={query} lines={1}>
        {(processes) =>
          processes.length === 0 ? (
            <NothingRuns app={app} />
          ) : (
            <ul className="plain-list rows">
              {processes.map((one) => (
                <Process key={`${one.process}.${one.replica}`} of={one} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  );
}

function NothingRuns({ app }: { app: Schemas["AppAnswer"] }) {
  const params = { app: app.slug };
  return (
    <Text c="dimmed">
      {app.status === "suspended" ? (
        "Nothing runs while the app is suspended. What ran starts by itself once it is resumed."
      ) : app.status === "stopped" ? (
        "Nothing runs: the app is stopped."
      ) : (
        <>
          Nothing runs now. Read{" "}
          <LinkTo to="/apps/$app/logs" params={params}>
            its logs
          </LinkTo>
          , or look at{" "}
          <LinkTo to="/apps/$app/scale" params={params}>
            how many replicas are meant to run
          </LinkTo>
          .
        </>
      )}
    </Text>
  );
}

function Process({ of }: { of: Schemas["ProcessItem"] }) {
  return (
    <li>
      <span className="mono grow">
        {of.process}.{of.replica}
      </span>
      {of.error ? (
        <Text size="sm" c="red" className="break">
          {of.error}
        </Text>
      ) : null}
      {of.last_failure ? (
        <Text size="sm" c="dimmed" className="break">
          failed <Ago at={of.last_failure.at} />: {of.last_failure.reason}
        </Text>
      ) : null}
      <Status of={of.state} />
      {of.since ? (
        <Text size="sm" c="dimmed">
          began <Ago at={of.since} />
        </Text>
      ) : null}
    </li>
  );
}

function Events({ query }: { query: PagedProps<Schemas["EventItem"]>["query"] }) {
  return (
    <section aria-labelledby="happened">
      <Title order={2} size="h4" id="happened" mb="xs">
        What happened
      </Title>
      <Paged query={query} empty="Nothing yet.">
        {(events) => <Happened events={events} />}
      </Paged>
    </section>
  );
}
