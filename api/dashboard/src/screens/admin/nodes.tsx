// The machines that apps run on, as the Swarm's managers see them.
import { Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { nodesQuery } from "../../api/queries";
import { bytes, memory, number } from "../../parts/amounts";
import { LinkTo } from "../../parts/link";
import { Loaded } from "../../parts/loading";
import { Status } from "../../parts/status";
import { WideTable } from "../../parts/wide_table";
import { role, used } from "./node_words";

export function AdminNodes() {
  const nodes = useQuery(nodesQuery);
  return (
    <Stack>
      <Loaded query={nodes}>
        {(nodes) =>
          nodes.length === 0 ? (
            <Text c="dimmed">No node is known: no Swarm manager has answered yet.</Text>
          ) : (
            <WideTable label="Nodes" verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Node</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th className="wide">Role</Table.Th>
                  <Table.Th className="numeric wide">CPU</Table.Th>
                  <Table.Th className="numeric wide">Memory</Table.Th>
                  <Table.Th className="numeric wide">Disk</Table.Th>
                  <Table.Th className="numeric">Replicas</Table.Th>
                  <Table.Th className="wide">Engine</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {nodes.map((one) => (
                  <Table.Tr key={one.id}>
                    <Table.Td>
                      <LinkTo to="/admin/nodes/$node" params={{ node: one.id }} fw={600} className="break">
                        {one.name}
                      </LinkTo>
                      <Text size="sm" c="dimmed" className="break">
                        {one.message ?? one.address}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      <Status of={one.state} />
                      {one.availability === "active" ? null : <Text size="sm">{one.availability}</Text>}
                    </Table.Td>
                    <Table.Td className="wide">{role(one)}</Table.Td>
                    <Table.Td className="numeric wide">
                      {used(one.usage?.cpu_cores, one.cpu_millicores / 1000, number)}
                    </Table.Td>
                    <Table.Td className="numeric wide">
                      {used(one.usage?.memory_bytes, one.memory_bytes, memory)}
                    </Table.Td>
                    <Table.Td className="numeric wide">
                      {one.usage ? used(one.usage.disk_bytes, one.usage.disk_limit_bytes, bytes) : "–"}
                    </Table.Td>
                    <Table.Td className="numeric">{one.replicas}</Table.Td>
                    <Table.Td className="wide">{one.engine_version}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </WideTable>
          )
        }
      </Loaded>
    </Stack>
  );
}
