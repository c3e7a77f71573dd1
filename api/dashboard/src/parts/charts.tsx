// What was measured over time, as charts that share their range, their cursor and the part that is looked at closely: of
// an app, or of a node.
import { ActionIcon, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconChevronLeft, IconChevronRight, IconZoomIn, IconZoomOut } from "@tabler/icons-react";
import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import type { Schemas } from "../api/client";
import type { MetricsRange } from "../api/queries";
import { Chart, type ChartLine, type Mark } from "./chart";
import { Loaded } from "./loading";
import { closer, farther, moved, type Span } from "./span";

const RANGES: { value: MetricsRange; label: string }[] = [
  { value: "1h", label: "1 hour" },
  { value: "6h", label: "6 hours" },
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
];

/** A chart: its series by name, and what a line of each is called. */
export interface ChartOf {
  title: string;
  series: Record<string, string>;
  format: (value: number) => string;
  /** Whether its units go up by powers of two. */
  binary?: boolean;
}

interface ChartsProps {
  query: UseQueryResult<Schemas["MetricsAnswer"]>;
  range: MetricsRange;
  onRange: (range: MetricsRange) => void;
  charts: readonly ChartOf[];
  /** Moments to mark, and what they all are. */
  marks?: readonly Mark[];
  marked?: string;
  /** What is said where nothing was measured. */
  empty: ReactNode;
}

const NONE: readonly Mark[] = [];

export function Charts({ query, range, onRange, charts, marks = NONE, marked, empty }: ChartsProps) {
  const [part, setPart] = useState<Span | null>(null);
  const whole: Span | null = query.data ? [Date.parse(query.data.from) / 1000, Date.parse(query.data.to) / 1000] : null;
  return (
    <Stack>
      <Group gap="sm">
        <SegmentedControl
          aria-label="Time"
          data={RANGES}
          value={range}
          onChange={(value) => {
            onRange(value as MetricsRange);
            setPart(null);
          }}
        />
        <Closer whole={whole} part={part} onSet={setPart} />
      </Group>
      <Loaded query={query}>
        {({ series }) =>
          whole && series.length > 0 ? (
            <>
              <Lines series={series} charts={charts} marks={marks} shown={part ?? whole} onZoom={setPart} />
              <Text size="sm" c="dimmed">
                Drag over a part to look closer; double-click to see all of it again.{marked ? ` ${marked}` : ""}
              </Text>
            </>
          ) : (
            <Text c="dimmed">{empty}</Text>
          )
        }
      </Loaded>
    </Stack>
  );
}

interface CloserProps {
  whole: Span | null;
  part: Span | null;
  onSet: (part: Span | null) => void;
}

/** The same as drawing over a part, for those who use keys, or cannot draw. */
function Closer({ whole, part, onSet }: CloserProps) {
  const buttons = whole
    ? ([
        ["Look closer", IconZoomIn, closer(part ?? whole)],
        ["Look at more", IconZoomOut, part ? farther(part, whole) : undefined],
        ["Earlier", IconChevronLeft, part ? moved(part, whole, -1) : undefined],
        ["Later", IconChevronRight, part ? moved(part, whole, 1) : undefined],
      ] as const)
    : [];
  return (
    <Group gap={4} role="group" aria-label="Part of the time">
      {buttons.map(([label, Icon, next]) => (
        <ActionIcon
          key={label}
          variant="default"
          size="lg"
          aria-label={label}
          title={label}
          disabled={next === undefined}
          onClick={() => onSet(next ?? null)}
        >
          <Icon size={18} />
        </ActionIcon>
      ))}
    </Group>
  );
}

interface LinesProps {
  series: readonly Schemas["SeriesItem"][];
  charts: readonly ChartOf[];
  marks: readonly Mark[];
  shown: Span;
  onZoom: (part: Span | null) => void;
}

function Lines({ series, charts, marks, shown: [from, to], onZoom }: LinesProps) {
  const drawn = useMemo(
    () =>
      charts
        .map((chart) => ({ ...chart, lines: linesOf(series, chart.series) }))
        .filter((chart) => chart.lines.length > 0),
    [series, charts],
  );
  return (
    <div className="charts">
      {drawn.map((chart) => (
        <Chart
          key={chart.title}
          title={chart.title}
          lines={chart.lines}
          format={chart.format}
          binary={chart.binary}
          from={from}
          to={to}
          marks={marks}
          group="metrics"
          onZoom={onZoom}
        />
      ))}
    </div>
  );
}

/** The lines of a chart: a series of several replicas is one for each. */
export function linesOf(series: readonly Schemas["SeriesItem"][], wanted: Record<string, string>): ChartLine[] {
  return series
    .filter((one) => one.name in wanted)
    .map((one) => ({
      name: [wanted[one.name], one.process ? `${one.process}.${one.replica}` : ""].filter(Boolean).join(" "),
      points: one.points.map(([at, value]) => [at ?? 0, value ?? 0] as const),
    }));
}
