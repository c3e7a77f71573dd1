// The platform at a glance: whether it is healthy, what runs on it, and what waits.
import { Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { adminOverviewQuery, healthQuery } from "../../api/queries";
import { count, hourly, money, ram } from "../../parts/amounts";
import { Fact } from "../../parts/fact";
import { Loaded } from "../../parts/loading";
import { Status } from "../../parts/status";
import { lasted } from "../../parts/time";
import { WideTable } from "../../parts/wide_table";

export function AdminOverview() {
  const overview = useQuery(adminOverviewQuery);
  return (
    <Stack gap="xl">
      <Health />
      <Loaded query={overview}>
        {(all) => (
          <>
            <dl className="cards plain-list">
              <Fact title="Apps" value={String(sum(all.applications))} more={listed(all.applications)} />
              <Fact
                title="Replicas"
                value={String(all.resource_usage.replicas)}
                more={`${all.resource_usage.total_cpu} CPU, ${ram(all.resource_usage.total_ram_mb)} promised`}
              />
              <Fact
                title="Organisations"
                value={String(all.organizations.total)}
                more={`${all.organizations.suspended} suspended`}
              />
              <Fact title="Users" value={String(all.users.total)} more={count(all.users.admins, "admin")} />
              <Fact title="Nodes" value={String(sum(all.worker_nodes))} more={listed(all.worker_nodes)} />
              <Fact
                title="Cost"
                value={`${hourly(all.resource_usage.cost_per_hour)} an hour`}
                more={`${money(all.resource_usage.total_cost_month)} this month`}
              />
              <Fact
                title="Jobs"
                value={`${all.queue.waiting} waiting`}
                more={`${all.queue.running} running, ${all.queue.failed} failed${all.queue.waiting > 0 ? `, the oldest ${lasted(all.queue.oldest_seconds * 1000)}` : ""}`}
              />
              <Fact title="Deployments" value={String(sum(all.deployments))} more={listed(all.deployments)} />
            </dl>
          </>
        )}
      </Loaded>
    </Stack>
  );
}

function sum(counts: Record<string, number>): number {
  return counts.total ?? Object.values(counts).reduce((all, one) => all + one, 0);
}

function listed(counts: Record<string, number>): string {
  const some = Object.entries(counts).filter(([name, number]) => name !== "total" && number > 0);
  return some.map(([name, number]) => `${number} ${name.replaceAll("_", " ")}`).join(", ") || "none";
}

function Health() {
  const health = useQuery(healthQuery);
  return (
    <section aria-labelledby="health">
      <Title order={2} size="h4" id="health" mb="sm">
        Health
      </Title>
      <Loaded query={health} lines={2}>
        {(report) => (
          <>
            <WideTable label="Health of the parts">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Part</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th className="numeric">Answered in</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {Object.entries(report.checks).map(([part, check]) => (
                  <Table.Tr key={part}>
                    <Table.Td>{part.replaceAll("_", " ")}</Table.Td>
                    <Table.Td>
                      <Status of={check.status} />
                    </Table.Td>
                    <Table.Td className="numeric">{check.status === "off" ? "–" : `${check.milliseconds} ms`}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </WideTable>
            <Text size="sm" c="dimmed" mt="xs">
              Skypanel {report.version}, {report.status}.
            </Text>
          </>
        )}
      </Loaded>
    </section>
  );
}
