// All apps of the person's organisations.
import { Badge, Group, Kbd, NativeSelect, Stack, Table, Text, TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconPlus, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import type { Schemas } from "../api/client";
import { appsQuery } from "../api/queries";
import { count, money } from "../parts/amounts";
import { ButtonTo, LinkTo } from "../parts/link";
import { Loaded } from "../parts/loading";
import { Head } from "../parts/page";
import { Status } from "../parts/status";
import { Ago } from "../parts/time";
import { WideTable } from "../parts/wide_table";
import { FirstSteps } from "./first_steps";

type App = Schemas["AppItem"];

export function Apps() {
  const apps = useQuery(appsQuery);
  return (
    <Stack>
      <Head title="Apps">
        <ButtonTo to="/new" leftSection={<IconPlus size={16} />}>
          New app
        </ButtonTo>
      </Head>
      <Loaded query={apps}>{(all) => (all.length === 0 ? <FirstSteps /> : <List apps={all} />)}</Loaded>
    </Stack>
  );
}

function List({ apps }: { apps: App[] }) {
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => field.current?.focus()]]);
  const shown = useMemo(() => found(apps, search, status), [apps, search, status]);
  const states = useMemo(() => [...new Set(apps.map((app) => app.status))].sort(), [apps]);
  const several = new Set(apps.map((app) => app.organization)).size > 1;
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <TextInput
          ref={field}
          className="grow"
          type="search"
          aria-label="Search apps"
          placeholder="Search apps"
          leftSection={<IconSearch size={16} />}
          rightSection={<Kbd size="xs">/</Kbd>}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <NativeSelect
          aria-label="Status"
          data={[{ value: "", label: "Any status" }, ...states.map((one) => ({ value: one, label: one }))]}
          value={status}
          onChange={(event) => setStatus(event.currentTarget.value)}
        />
      </Group>
      {shown.length === 0 ? (
        <Text c="dimmed" py="lg">
          No app fits. <LinkTo to="/new">Create one</LinkTo>, or search for something else.
        </Text>
      ) : (
        <WideTable label="Apps" verticalSpacing="sm" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>App</Table.Th>
              <Table.Th>Status</Table.Th>
              <Table.Th className="wide">Release</Table.Th>
              <Table.Th className="wide">Plan</Table.Th>
              <Table.Th className="wide numeric">Replicas</Table.Th>
              <Table.Th className="numeric">Cost an hour</Table.Th>
              <Table.Th className="wide">Changed</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((app) => (
              <Row key={app.id} app={app} several={several} />
            ))}
          </Table.Tbody>
        </WideTable>
      )}
      <Text size="sm" c="dimmed" aria-live="polite">
        {shown.length === apps.length ? count(apps.length, "app") : `${shown.length} of ${count(apps.length, "app")}`}
      </Text>
    </Stack>
  );
}

function Row({ app, several }: { app: App; several: boolean }) {
  return (
    <Table.Tr>
      <Table.Td>
        <LinkTo to="/apps/$app" params={{ app: app.slug }} fw={600}>
          {app.slug}
        </LinkTo>
        {several ? (
          <Text size="xs" c="dimmed">
            {app.organization}
          </Text>
        ) : null}
      </Table.Td>
      <Table.Td>
        <Status of={app.status} />
      </Table.Td>
      <Table.Td className="wide">{app.version ? `v${app.version}` : "none"}</Table.Td>
      <Table.Td className="wide">
        <Badge variant="light" color="gray" tt="none" radius="sm">
          {app.plan}
        </Badge>
      </Table.Td>
      <Table.Td className="wide numeric">{app.replicas}</Table.Td>
      <Table.Td className="numeric">{money(cost(app))}</Table.Td>
      <Table.Td className="wide">
        <Ago at={app.updated_at} />
      </Table.Td>
    </Table.Tr>
  );
}

/** What the app costs an hour while it runs as it is meant to; nothing while it does not. */
function cost(app: App): string {
  const runs = ["running", "deploying", "building"].includes(app.status) && app.version;
  return runs ? String(Number(app.price_per_hour) * app.replicas) : "0";
}

export function found(apps: App[], search: string, status: string): App[] {
  const wanted = search.trim().toLowerCase();
  return apps.filter(
    (app) =>
      (status === "" || app.status === status) &&
      (wanted === "" || [app.slug, app.name, app.organization].some((text) => text.toLowerCase().includes(wanted))),
  );
}
