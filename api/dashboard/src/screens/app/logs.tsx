// What the app writes, as it writes it.
import { Button, Group, NativeSelect, Stack, Switch, TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconDownload, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import type { Schemas } from "../../api/client";
import type { Problem } from "../../api/problem";
import { appQuery } from "../../api/queries";
import { type Connection, follow } from "../../api/sse";
import { useLines } from "../../live/lines";
import { count } from "../../parts/amounts";
import { plain } from "../../parts/ansi";
import { Failed } from "../../parts/loading";
import { type Line, LogView } from "../../parts/log_view";
import { ConnectionBadge } from "./deployment";

const route = getRouteApi("/shell/apps/$app");
/** Lines from before that are shown at first. */
const LINES_BEFORE = 1_000;

export function Logs() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug)).data;
  const { lines, add, clear } = useLines();
  const [connection, setConnection] = useState<Connection>("connecting");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [process, setProcess] = useState("");
  const [search, setSearch] = useState("");
  const [times, setTimes] = useState(true);
  const field = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => field.current?.focus()]]);

  useEffect(() => {
    // A stream that is opened again tells its newest lines again; what is there already is passed over.
    let last = "";
    let seen = new Set<string>();
    clear();
    setProblem(null);
    const query = new URLSearchParams({ lines: String(LINES_BEFORE), ...(process ? { process } : {}) });
    return follow(`/api/paas/apps/${encodeURIComponent(slug)}/logs/stream?${query}`, {
      onConnection: (connection, problem) => {
        setConnection(connection);
        if (problem) setProblem(problem);
      },
      onEvent: (event) => {
        const line = JSON.parse(event.data) as Schemas["LogItem"];
        const key = `${line.process} ${line.text}`;
        if (line.at < last || (line.at === last && seen.has(key))) return;
        if (line.at !== last) seen = new Set();
        last = line.at;
        seen.add(key);
        add({ text: line.text, at: line.at, process: line.process });
      },
    });
  }, [slug, process, add, clear]);

  const wanted = useDeferredValue(search.trim().toLowerCase());
  const shown = useMemo(() => fitting(lines, wanted), [lines, wanted]);

  if (problem && problem.status !== 401) return <Failed error={problem} />;
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <TextInput
          ref={field}
          className="grow"
          type="search"
          aria-label="Only lines with this text"
          placeholder="Only lines with this text"
          leftSection={<IconSearch size={16} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <NativeSelect
          aria-label="Process type"
          data={[
            { value: "", label: "All processes" },
            ...Object.keys(app?.formation ?? {}).map((type) => ({ value: type, label: type })),
          ]}
          value={process}
          onChange={(event) => setProcess(event.currentTarget.value)}
        />
        <Switch label="Times" checked={times} onChange={(event) => setTimes(event.currentTarget.checked)} />
        <Button
          variant="default"
          leftSection={<IconDownload size={16} />}
          disabled={shown.length === 0}
          onClick={() => download(slug, shown)}
        >
          Download
        </Button>
      </Group>
      <LogView
        lines={shown}
        times={times}
        label={`Log of ${slug}`}
        empty={wanted ? "No line has this text." : "Nothing was written yet. New lines come by themselves."}
      />
      <Group gap="sm">
        <ConnectionBadge of={connection} />
        <span className="label" aria-live="off">
          {shown.length === lines.length
            ? count(lines.length, "line")
            : `${shown.length} of ${count(lines.length, "line")}`}
        </span>
      </Group>
    </Stack>
  );
}

/** The text of each line that was looked through once, so that fifty thousand are not read anew for each that comes. */
const read = new WeakMap<Line, string>();

function readable(line: Line): string {
  const known = read.get(line);
  if (known !== undefined) return known;
  const text = plain(line.text).toLowerCase();
  read.set(line, text);
  return text;
}

function fitting(lines: readonly Line[], wanted: string): readonly Line[] {
  return wanted ? lines.filter((line) => readable(line).includes(wanted)) : lines;
}

function download(slug: string, lines: readonly Line[]) {
  const text = lines.map((line) => `${line.at ?? ""} ${line.process ?? ""} ${plain(line.text)}\n`).join("");
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${slug}.log`;
  link.click();
  URL.revokeObjectURL(url);
}
