// The apps of all organisations.
import { Stack, Table, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { adminAppsQuery } from "../../api/queries";
import { money } from "../../parts/amounts";
import { LinkTo } from "../../parts/link";
import { Loaded } from "../../parts/loading";
import { Status } from "../../parts/status";
import { WideTable } from "../../parts/wide_table";
import { More, useSearch } from "./search";

export function AdminApps() {
  const { settled, field } = useSearch("Search all apps");
  const apps = useQuery({ ...adminAppsQuery(settled), placeholderData: keepPreviousData });
  return (
    <Stack gap="sm">
      {field}
      <Loaded query={apps}>
        {({ items, next_cursor }) =>
          items.length === 0 ? (
            <Text c="dimmed">{settled ? "No app has this in its name." : "There is no app yet."}</Text>
          ) : (
            <>
              <WideTable label="All apps" verticalSpacing="sm">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>App</Table.Th>
                    <Table.Th>Status</Table.Th>
                    <Table.Th className="wide">Organisation</Table.Th>
                    <Table.Th className="wide">Plan</Table.Th>
                    <Table.Th className="numeric wide">Replicas</Table.Th>
                    <Table.Th className="numeric wide">An hour</Table.Th>
                    <Table.Th className="numeric">This month</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {items.map((one) => (
                    <Table.Tr key={one.id}>
                      <Table.Td>
                        <LinkTo to="/apps/$app" params={{ app: one.slug }} fw={600}>
                          {one.slug}
                        </LinkTo>
                      </Table.Td>
                      <Table.Td>
                        <Status of={one.status} />
                      </Table.Td>
                      <Table.Td className="wide break">{one.organization}</Table.Td>
                      <Table.Td className="wide">{one.plan}</Table.Td>
                      <Table.Td className="numeric wide">{one.replicas}</Table.Td>
                      <Table.Td className="numeric wide">{money(one.cost_per_hour)}</Table.Td>
                      <Table.Td className="numeric">{money(one.cost_month)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </WideTable>
              <More than={items.length} cursor={next_cursor} />
            </>
          )
        }
      </Loaded>
    </Stack>
  );
}
