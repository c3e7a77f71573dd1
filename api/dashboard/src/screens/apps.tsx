// All apps of the person's organisations.
import { Badge, Group, NativeSelect, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Schemas } from "../api/client";
import { appsQuery, requestsQuery } from "../api/queries";
import { count, hourly } from "../parts/amounts";
import { ButtonTo, LinkTo } from "../parts/link";
import { Loaded } from "../parts/loading";
import { type Column, LongTable } from "../parts/long_table";
import { Head } from "../parts/page";
import { PerMinute, type RequestsByApp } from "../parts/requests";
import { useMayCreate } from "../parts/roles";
import { SearchField } from "../parts/search_field";
import { Status, stateWords } from "../parts/status";
import { Ago } from "../parts/time";
import { found, statesOf } from "./app_filters";
import { FirstSteps } from "./first_steps";

type App = Schemas["AppItem"];

export function Apps() {
  const apps = useQuery(appsQuery);
  return (
    <Stack>
      <Head title="Apps">
        {useMayCreate() ? (
          <ButtonTo to="/new" leftSection={<IconPlus size={16} />}>
            New app
          </ButtonTo>
        ) : null}
      </Head>
      <Loaded query={apps}>{(all) => (all.length === 0 ? <FirstSteps /> : <List apps={all} />)}</Loaded>
    </Stack>
  );
}

function List({ apps }: { apps: App[] }) {
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState("");
  const shown = useMemo(() => found(apps, search, status), [apps, search, status]);
  const states = useMemo(() => statesOf(apps, status), [apps, status]);
  const mayCreate = useMayCreate();
  const several = new Set(apps.map((app) => app.organization)).size > 1;
  const requests = useQuery(requestsQuery);
  // What was known before they could not be read any more is not how things are now.
  const known = requests.isError ? undefined : requests.data;
  const columns = useMemo(() => columnsWith(several, known), [several, known]);
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <SearchField className="grow" label="Search apps" value={search} onSet={setSearch} />
        <NativeSelect
          aria-label="Status"
          data={[{ value: "", label: "Any status" }, ...states.map((one) => ({ value: one, label: stateWords(one) }))]}
          value={status}
          onChange={(event) => setStatus(event.currentTarget.value)}
        />
      </Group>
      {shown.length === 0 ? (
        <Text c="dimmed" py="lg">
          No app fits. {mayCreate ? <LinkTo to="/new">Create one</LinkTo> : null}
          {mayCreate ? ", or search" : "Search"} for something else.
        </Text>
      ) : (
        <LongTable label="Apps" columns={columns} rows={shown} rowKey={(app) => app.id} />
      )}
      <Text size="sm" c="dimmed" aria-live="polite">
        {shown.length === apps.length ? count(apps.length, "app") : `${shown.length} of ${count(apps.length, "app")}`}
      </Text>
    </Stack>
  );
}

/** With the organisation of each where there are several. */
const columnsWith = (several: boolean, requests: RequestsByApp | undefined): Column<App>[] => [
  {
    head: "App",
    width: "26%",
    cell: (app) => (
      <>
        <LinkTo to="/apps/$app" params={{ app: app.slug }} fw={600} className="break">
          {app.slug}
        </LinkTo>
        {several ? (
          <Text size="xs" c="dimmed" className="break">
            {app.organization}
          </Text>
        ) : null}
      </>
    ),
  },
  { head: "Status", cell: (app) => <Status of={app.status} /> },
  { head: "Release", className: "wide", width: "9%", cell: (app) => (app.version ? `v${app.version}` : "none") },
  {
    head: "Plan",
    className: "wide",
    cell: (app) => (
      <Badge variant="light" color="gray" tt="none" radius="sm">
        {app.plan}
      </Badge>
    ),
  },
  { head: "Replicas", className: "wide numeric", width: "9%", cell: (app) => app.replicas },
  {
    head: "Requests",
    className: "wide numeric",
    width: "11%",
    cell: (app) => <PerMinute of={requests?.[app.id]} />,
  },
  { head: "Cost an hour", className: "numeric", width: "12%", cell: (app) => hourly(app.cost_per_hour) },
  { head: "Changed", className: "wide", cell: (app) => <Ago at={app.updated_at} /> },
];
