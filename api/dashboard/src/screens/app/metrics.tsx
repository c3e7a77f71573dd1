// What the app used and answered over time, with its releases.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { deploymentsOfRangeQuery, type MetricsRange, metricsQuery } from "../../api/queries";
import { cores, duration, memory, perSecond, traffic } from "../../parts/amounts";
import { type ChartOf, Charts } from "../../parts/charts";

const route = getRouteApi("/shell/apps/$app");

const CHARTS: ChartOf[] = [
  { title: "CPU", series: { cpu: "" }, format: cores },
  { title: "Memory", series: { memory: "" }, format: memory, binary: true },
  {
    title: "Requests",
    series: { requests_2xx: "2xx", requests_3xx: "3xx", requests_4xx: "4xx", requests_5xx: "5xx" },
    format: perSecond,
  },
  {
    title: "Response time",
    series: { response_time_p50: "p50", response_time_p95: "p95", response_time_p99: "p99" },
    format: duration,
  },
  { title: "Network", series: { network_received: "received", network_sent: "sent" }, format: traffic },
];

export function Metrics() {
  const { app: slug } = route.useParams();
  const [range, setRange] = useState<MetricsRange>("1h");
  const metrics = useQuery({ ...metricsQuery(slug, range), placeholderData: keepPreviousData });
  const deployments = useQuery({
    ...deploymentsOfRangeQuery(slug, range),
    placeholderData: keepPreviousData,
  }).data;
  const marks = useMemo(
    () =>
      (deployments ?? [])
        .filter((one) => one.status === "succeeded" && one.finished_at)
        .map((one) => ({ at: Date.parse(one.finished_at ?? "") / 1000, label: one.version ? `v${one.version}` : "" })),
    [deployments],
  );
  return (
    <Charts
      query={metrics}
      range={range}
      onRange={setRange}
      charts={CHARTS}
      marks={marks}
      marked="Dashed lines are releases."
      empty="Nothing was measured in this time. Measuring begins when the app runs."
    />
  );
}
