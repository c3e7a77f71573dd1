// Every change that was made, newest first.
import { Stack, Table, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { adminAuditQuery } from "../../api/queries";
import { Loaded } from "../../parts/loading";
import { Ago } from "../../parts/time";
import { WideTable } from "../../parts/wide_table";
import { More, useSearch } from "./search";

export function AdminAudit() {
  const { settled, field } = useSearch("Action, such as app.scale; with a dot at its end, all that begin so");
  const audit = useQuery({ ...adminAuditQuery(settled), placeholderData: keepPreviousData });
  return (
    <Stack gap="sm">
      {field}
      <Loaded query={audit}>
        {({ items, next_cursor }) =>
          items.length === 0 ? (
            <Text c="dimmed">Nothing of that kind was done.</Text>
          ) : (
            <>
              <WideTable label="Audit log">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>When</Table.Th>
                    <Table.Th>Who</Table.Th>
                    <Table.Th>What</Table.Th>
                    <Table.Th>Of what</Table.Th>
                    <Table.Th className="wide">From</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {items.map((one) => (
                    <Table.Tr key={one.id}>
                      <Table.Td>
                        <Ago at={one.occurred_at} />
                      </Table.Td>
                      <Table.Td className="break">{one.actor ?? "the platform"}</Table.Td>
                      <Table.Td className="mono">{one.action}</Table.Td>
                      <Table.Td className="break">
                        {one.target_kind} {one.target}
                      </Table.Td>
                      <Table.Td className="wide">
                        {one.via}
                        {one.address ? `, ${one.address}` : ""}
                      </Table.Td>
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
