// The apps of all organisations.
import { Stack } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Schemas } from "../../api/client";
import { adminAppsQuery, adminRequestsQuery } from "../../api/queries";
import { hourly, money } from "../../parts/amounts";
import { LinkTo } from "../../parts/link";
import { type Column, LongTable } from "../../parts/long_table";
import { Paged } from "../../parts/paged";
import { PerMinute, type RequestsByApp } from "../../parts/requests";
import { useSearch } from "../../parts/search_field";
import { Status } from "../../parts/status";

type App = Schemas["AdminAppItem"];

const columnsWith = (requests: RequestsByApp | undefined): Column<App>[] => [
  {
    head: "App",
    cell: (one) => (
      <LinkTo to="/apps/$app" params={{ app: one.slug }} fw={600}>
        {one.slug}
      </LinkTo>
    ),
  },
  { head: "Status", cell: (one) => <Status of={one.status} /> },
  { head: "Organisation", className: "wide break", cell: (one) => one.organization },
  { head: "Plan", className: "wide", cell: (one) => one.plan },
  { head: "Replicas", className: "numeric wide", width: "9%", cell: (one) => one.replicas },
  {
    head: "Requests",
    className: "numeric wide",
    width: "11%",
    cell: (one) => <PerMinute of={requests?.[one.id]} />,
  },
  { head: "Cost an hour", className: "numeric wide", width: "12%", cell: (one) => hourly(one.cost_per_hour) },
  { head: "This month", className: "numeric", width: "13%", cell: (one) => money(one.cost_month) },
];

export function AdminApps() {
  const { settled, field } = useSearch("Search all apps");
  const requests = useQuery(adminRequestsQuery);
  const known = requests.isError ? undefined : requests.data;
  const columns = useMemo(() => columnsWith(known), [known]);
  const apps = useInfiniteQuery({ ...adminAppsQuery(settled), placeholderData: keepPreviousData });
  return (
    <Stack gap="sm">
      {field}
      <Paged query={apps} empty={settled ? "No app has this in its name." : "There is no app yet."}>
        {(items) => <LongTable label="All apps" columns={columns} rows={items} rowKey={(one) => one.id} />}
      </Paged>
    </Stack>
  );
}
