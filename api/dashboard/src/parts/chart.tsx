// Lines over time, drawn on a canvas and kept up to date there. Charts of one group share their cursor and their zoom.
import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";

export interface ChartLine {
  name: string;
  /** Seconds since 1970 and the value; oldest first. */
  points: readonly (readonly [number, number])[];
}

/** A moment that is marked, in seconds since 1970, and what happened then. */
export interface Mark {
  at: number;
  label: string;
}

interface ChartProps {
  title: string;
  lines: readonly ChartLine[];
  /** A value in words. */
  format: (value: number) => string;
  /** Whether its units go up by powers of two. */
  binary?: boolean | undefined;
  /** What is shown, in seconds since 1970. */
  from: number;
  to: number;
  marks: readonly Mark[];
  group: string;
  /** Somebody chose a part, or with null all of it again. */
  onZoom: (part: [number, number] | null) => void;
}

const HEIGHT_PX = 180;
/** Room for what is written beside the lines, and at least between two times below them. */
const VALUES_PX = 94;
const CLOCK_PX = 60;
const DATED_PX = 96;
const DAY_S = 24 * 3600;
/** From when on a time needs its day. */
const LONG_S = DAY_S + 2 * 3600;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dated = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const COLOURS = {
  light: ["#2a52be", "#b45309", "#1d7337", "#8a2a8f", "#0b6b74", "#b42318"],
  dark: ["#8fb0ff", "#f3b562", "#86d79f", "#e3a5e8", "#79d3dc", "#ff9c92"],
};
const INK = { light: "#586074", dark: "#a0aabd" };
const GRID = { light: "#e4e8f0", dark: "#2b3345" };

const POWERS_OF_TWO = Array.from({ length: 48 }, (_, power) => 2 ** power);

export function Chart({ title, lines, format, binary, from, to, marks, group, onZoom }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme("light");
  const data = useMemo(() => aligned(lines), [lines]);
  const drawn = useRef<uPlot | null>(null);
  // Which of the times the cursor is at, in this chart or another one of its group.
  const [pointed, setPointed] = useState<number | null>(null);
  // What changes while it is drawn. Another chart in its place would lose the cursor of who looks at it.
  const now = useRef({ data, from, to, marks, onZoom });
  now.current = { data, from, to, marks, onZoom };
  const names = lines.map((line) => line.name).join("\n");

  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const colours = COLOURS[scheme];
    const axis = {
      stroke: INK[scheme],
      grid: { stroke: GRID[scheme], width: 1 },
      ticks: { stroke: GRID[scheme], width: 1 },
    };
    const isLong = () => now.current.to - now.current.from > LONG_S;
    const timePx = () => (isLong() ? DATED_PX : CLOCK_PX);
    const chart = new uPlot(
      {
        width: box.clientWidth,
        height: HEIGHT_PX,
        // The last time is as wide on the right of its place as on the left.
        padding: [null, () => timePx() / 2, null, null],
        legend: { show: false },
        cursor: { sync: { key: group }, drag: { x: true, y: false, setScale: false } },
        scales: {
          x: { range: () => [now.current.from, now.current.to] },
          y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          {
            ...axis,
            space: timePx,
            values: (_, times, __, ___, step) =>
              times.map((at) => (step >= DAY_S ? day : isLong() ? dated : clock).format(at * 1000)),
          },
          {
            ...axis,
            size: VALUES_PX,
            ...(binary ? { incrs: POWERS_OF_TWO } : {}),
            values: (_, values) => values.map((value) => format(value)),
          },
        ],
        series: [
          {},
          ...names.split("\n").map((label, index) => ({
            label,
            stroke: colours[index % colours.length] ?? "gray",
            width: 1.5,
            // A line needs two.
            points: { show: (of: uPlot) => (of.data[index + 1] ?? []).filter((value) => value !== null).length < 2 },
          })),
        ],
        hooks: {
          setCursor: [(chart) => setPointed(chart.cursor.idx ?? null)],
          draw: [(chart) => mark(chart, now.current.marks, INK[scheme])],
          setSelect: [
            (chart) => {
              const { left, width } = chart.select;
              if (width > 4) now.current.onZoom([chart.posToVal(left, "x"), chart.posToVal(left + width, "x")]);
              chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            },
          ],
        },
      },
      now.current.data,
      box,
    );
    drawn.current = chart;
    const fit = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: HEIGHT_PX }));
    fit.observe(box);
    return () => {
      fit.disconnect();
      chart.destroy();
      drawn.current = null;
    };
  }, [names, format, binary, group, scheme]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: it is drawn by them
  useEffect(() => drawn.current?.setData(data), [data, from, to, marks]);

  const at = pointed === null ? undefined : data[0][pointed];
  return (
    <figure className="chart">
      <figcaption>
        <span>
          <strong>{title}</strong>
          {at === undefined ? null : <time className="chart-time">{moment(new Date(at * 1000))}</time>}
        </span>
        <ul className="plain-list chart-lines">
          {lines.map((line, index) => (
            <li key={line.name}>
              <svg width="12" height="4" aria-hidden="true">
                <rect width="12" height="4" rx="2" fill={COLOURS[scheme][index % COLOURS[scheme].length]} />
              </svg>
              {line.name} {told(at === undefined ? line.points.at(-1)?.[1] : data[index + 1]?.[pointed ?? 0], format)}
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={place} onDoubleClick={() => onZoom(null)} aria-hidden="true" />
    </figure>
  );
}

/** When it was: only what is not of today needs its day. */
export function moment(at: Date, now = new Date()): string {
  return (at.toDateString() === now.toDateString() ? exact : dated).format(at);
}

/** A value in words; a line has none where it was not measured. */
function told(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

/** One row of times for all lines; where a line has none, there is a gap. */
export function aligned(lines: readonly ChartLine[]): uPlot.AlignedData {
  const times = [...new Set(lines.flatMap((line) => line.points.map(([at]) => at)))].sort((one, other) => one - other);
  const columns = lines.map((line) => {
    const values = new Map(line.points);
    return times.map((at) => values.get(at) ?? null);
  });
  return [times, ...columns];
}

function mark(chart: uPlot, marks: readonly Mark[], colour: string) {
  const { ctx, bbox } = chart;
  const size = 11 * uPlot.pxRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.font = `${size}px sans-serif`;
  ctx.setLineDash([4, 4]);
  let free = bbox.left;
  for (const { at, label } of [...marks].sort((one, other) => one.at - other.at)) {
    const x = Math.round(chart.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // Where several are close together, not all of their words fit.
    const room = ctx.measureText(label).width + size;
    if (x < free || x + room > bbox.left + bbox.width) continue;
    ctx.fillText(label, x + size / 3, bbox.top + size);
    free = x + room;
  }
  ctx.restore();
}
