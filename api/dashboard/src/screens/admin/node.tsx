// A machine that apps run on: how it is, what of it is used, and what was used over time.
import { Group, Stack, Text, Title } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { type MetricsRange, nodeMetricsQuery, nodesQuery } from "../../api/queries";
import { bytes, cores, count, memory, number, traffic } from "../../parts/amounts";
import { type ChartOf, Charts } from "../../parts/charts";
import { Fact } from "../../parts/fact";
import { LinkTo } from "../../parts/link";
import { Loaded } from "../../parts/loading";
import { Status } from "../../parts/status";
import { Ago } from "../../parts/time";
import { availability, role, used } from "./node_words";

const route = getRouteApi("/shell/admin/nodes/$node");

const CHARTS: ChartOf[] = [
  { title: "CPU", series: { cpu: "" }, format: cores },
  { title: "Load", series: { load: "over a minute" }, format: number },
  { title: "Memory", series: { memory: "used", memory_limit: "there is" }, format: memory, binary: true },
  { title: "Disk", series: { disk: "used", disk_limit: "there is" }, format: bytes },
  { title: "Network", series: { network_received: "received", network_sent: "sent" }, format: traffic },
  { title: "Reads and writes", series: { block_read: "read", block_written: "written" }, format: traffic },
  { title: "Containers", series: { containers: "that run" }, format: number },
  { title: "Restarts of replicas", series: { restarts: "" }, format: number },
];

export function AdminNode() {
  const { node: wanted } = route.useParams();
  const nodes = useQuery(nodesQuery);
  return (
    <Stack gap="lg">
      <LinkTo to="/admin/nodes" size="sm">
        All nodes
      </LinkTo>
      <Loaded query={nodes}>
        {(nodes) => {
          const node = nodes.find((one) => one.id === wanted || one.name === wanted);
          return node ? (
            <Shown key={node.id} node={node} />
          ) : (
            <Text c="dimmed" className="break">
              The Swarm has no node "{wanted}". Did it leave, or is its name spelt otherwise?
            </Text>
          );
        }}
      </Loaded>
    </Stack>
  );
}

function Shown({ node }: { node: Schemas["NodeItem"] }) {
  const [range, setRange] = useState<MetricsRange>("1h");
  const metrics = useQuery({ ...nodeMetricsQuery(node.id, range), placeholderData: keepPreviousData });
  const { usage } = node;
  return (
    <>
      <div>
        <Group gap="sm">
          <Title order={2} size="h3" className="break">
            {node.name}
          </Title>
          <Status of={node.state} />
          {node.availability === "active" ? null : <Status of="pending" words={node.availability} />}
        </Group>
        <Text size="sm" c="dimmed" className="break">
          {node.joined_at ? (
            <>
              Joined <Ago at={node.joined_at} />.{" "}
            </>
          ) : null}
          {usage ? (
            <>
              Measured <Ago at={usage.measured_at} />.
            </>
          ) : (
            "Not measured within the last minute."
          )}
        </Text>
        {node.message ? (
          <Text size="sm" className="break">
            {node.message}
          </Text>
        ) : null}
      </div>
      <dl className="cards plain-list">
        <Fact title="Role" value={role(node)} more={availability(node.availability)} />
        <Fact title="Address" value={node.address ?? "unknown"} more={`Engine ${node.engine_version ?? "unknown"}`} />
        <Fact
          title="Replicas"
          value={String(node.replicas)}
          more={usage ? `of apps; ${count(usage.containers, "container")} in all` : "of apps"}
        />
        <Fact
          title="CPU"
          value={used(usage?.cpu_cores, node.cpu_millicores / 1000, cores)}
          more={usage ? `load ${number(usage.load)}` : "what there is"}
        />
        <Fact
          title="Memory"
          value={used(usage?.memory_bytes, node.memory_bytes, memory)}
          more={share(usage?.memory_bytes, node.memory_bytes)}
        />
        <Fact
          title="Disk"
          value={usage ? used(usage.disk_bytes, usage.disk_limit_bytes, bytes) : "unknown"}
          more={share(usage?.disk_bytes, usage?.disk_limit_bytes)}
        />
      </dl>
      <Charts
        query={metrics}
        range={range}
        onRange={setRange}
        charts={CHARTS}
        empty="Nothing was measured of this node in this time. Machines other than the one that answers are only measured with Prometheus: see the setting metrics.backend."
      />
    </>
  );
}

function share(now: number | undefined, all: number | undefined): string {
  return now === undefined || !all ? "not measured now" : `${Math.round((now / all) * 100)} % used`;
}
