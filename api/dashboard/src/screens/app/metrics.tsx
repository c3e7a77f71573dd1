// What the app used and answered over time. All charts share their zoom; dashed lines are releases.
import { Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import { deploymentsQuery, type MetricsRange, metricsQuery } from "../../api/queries";
import { bytes } from "../../parts/amounts";
import { Chart, type ChartLine } from "../../parts/chart";
import { Loaded } from "../../parts/loading";

const route = getRouteApi("/shell/apps/$app");

const RANGES: { value: MetricsRange; label: string }[] = [
  { value: "1h", label: "1 hour" },
  { value: "6h", label: "6 hours" },
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
];

const cores = (value: number) => `${value < 1 ? value.toFixed(3) : value.toFixed(2)} cores`;
const perSecond = (value: number) => `${value < 10 ? value.toFixed(2) : Math.round(value)}/s`;
const traffic = (value: number) => `${bytes(value)}/s`;
const duration = (value: number) => (value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`);

/** The charts, each with its series by name and what a line of it is called. */
const CHARTS: { title: string; series: Record<string, string>; format: (value: number) => string }[] = [
  { title: "CPU", series: { cpu: "" }, format: cores },
  { title: "Memory", series: { memory: "" }, format: bytes },
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
  const [part, setPart] = useState<[number, number] | null>(null);
  const metrics = useQuery({ ...metricsQuery(slug, range), placeholderData: keepPreviousData });
  const deployments = useQuery(deploymentsQuery(slug)).data;
  const marks = useMemo(
    () =>
      (deployments?.items ?? [])
        .filter((one) => one.status === "succeeded" && one.finished_at)
        .map((one) => Date.parse(one.finished_at ?? "") / 1000),
    [deployments],
  );
  return (
    <Stack>
      <Group>
        <SegmentedControl
          aria-label="Time"
          data={RANGES}
          value={range}
          onChange={(value) => {
            setRange(value as MetricsRange);
            setPart(null);
          }}
        />
        {part ? (
          <Button variant="default" onClick={() => setPart(null)}>
            All of it
          </Button>
        ) : null}
      </Group>
      <Loaded query={metrics}>
        {(metrics) => <Charts metrics={metrics} marks={marks} part={part} onZoom={setPart} />}
      </Loaded>
    </Stack>
  );
}

interface ChartsProps {
  metrics: Schemas["MetricsAnswer"];
  marks: readonly number[];
  part: [number, number] | null;
  onZoom: (part: [number, number] | null) => void;
}

function Charts({ metrics, marks, part, onZoom }: ChartsProps) {
  const charts = useMemo(
    () => CHARTS.map((chart) => ({ ...chart, lines: linesOf(metrics.series, chart.series) })),
    [metrics],
  );
  const shown = charts.filter((chart) => chart.lines.length > 0);
  const [from, to] = part ?? [Date.parse(metrics.from) / 1000, Date.parse(metrics.to) / 1000];
  if (shown.length === 0) {
    return <Text c="dimmed">Nothing was measured in this time. Measuring begins when the app runs.</Text>;
  }
  return (
    <>
      <div className="charts">
        {shown.map((chart) => (
          <Chart
            key={chart.title}
            title={chart.title}
            lines={chart.lines}
            format={chart.format}
            from={from}
            to={to}
            marks={marks}
            group="metrics"
            onZoom={onZoom}
          />
        ))}
      </div>
      <Text size="sm" c="dimmed">
        Draw over a part to look closer; a double click shows all of it again. Dashed lines are releases.
      </Text>
    </>
  );
}

export function linesOf(series: readonly Schemas["SeriesItem"][], wanted: Record<string, string>): ChartLine[] {
  return series
    .filter((one) => one.name in wanted)
    .map((one) => ({
      name: [wanted[one.name], one.process ? `${one.process}.${one.replica}` : ""].filter(Boolean).join(" "),
      points: one.points.map(([at, value]) => [at ?? 0, value ?? 0] as const),
    }));
}
