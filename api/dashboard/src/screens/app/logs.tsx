// What the app, the requests to it, its builds and the platform wrote: as it is written, or any part of what is kept.
import { Alert, Button, Group, NativeSelect, Stack, Switch, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconDownload, IconLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate, useRouter } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Schemas } from "../../api/client";
import { isSessionEnd } from "../../api/problem";
import { appQuery } from "../../api/queries";
import { MOST_LINES } from "../../live/lines";
import { count } from "../../parts/amounts";
import { textOf } from "../../parts/ansi";
import { ConnectionBadge } from "../../parts/connection_badge";
import { Copied } from "../../parts/copied";
import { Failed, Refused } from "../../parts/loading";
import { type Line, LogView } from "../../parts/log_view";
import { SearchField } from "../../parts/search_field";
import { atLine, fieldOf, LEVELS, type LogFilters, momentOf, narrows, SOURCES } from "./log_filters";
import { useLogLines } from "./log_lines";

const route = getRouteApi("/shell/apps/$app/logs");
/** How long somebody may type before the log is searched. */
const SETTLED_MS = 350;

export function Logs() {
  const { app: slug } = route.useParams();
  const inAddress = route.useSearch();
  const navigate = useNavigate();
  const router = useRouter();
  const app = useQuery(appQuery(slug)).data;
  // The line that the page was opened at; one that is chosen here stays where it is.
  const [opened, setOpened] = useState(inAddress.line);
  const filters = opened === undefined ? inAddress : atLine(inAddress, inAddress.line);
  const [times, setTimes] = useState(true);
  const log = useLogLines(slug, filters, opened);
  const past = opened !== undefined || filters.until !== undefined;

  const go = (search: LogFilters) =>
    void navigate({ to: "/apps/$app/logs", params: { app: slug }, search, replace: true });
  const set = (change: LogFilters) => {
    const { line: _, ...before } = filters;
    setOpened(undefined);
    go(Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value)) as LogFilters);
  };
  const address = (line: string) =>
    router.buildLocation({ to: "/apps/$app/logs", params: { app: slug }, search: atLine(filters, line) }).href;

  const { problem } = log;
  const wrongInput = problem?.status === 422;
  if (problem && !isSessionEnd(problem) && !wrongInput && log.lines.length === 0) {
    return <Failed error={problem} retry={log.again} />;
  }
  return (
    <Stack gap="sm" className="log-page">
      <Filters filters={filters} app={app} onSet={set} />
      <Refused error={problem} />
      {log.notice ? (
        <Alert color="yellow" p="sm" role="status">
          {log.notice}
        </Alert>
      ) : null}
      <LogView
        // What is looked at anew begins at its own end.
        key={past ? `${opened} ${JSON.stringify(filters.until)}` : "live"}
        lines={log.lines}
        times={times}
        follows={!past}
        chosen={filters.line}
        address={address}
        onChoose={(line) => {
          const { line: _, ...rest } = filters;
          go(line === undefined ? rest : { ...rest, line });
        }}
        onFirst={log.readOlder}
        onLast={past ? log.readNewer : undefined}
        label={`Log of ${slug}`}
        empty={emptyWords(log.reading === "first", past, filters)}
      />
      <Group gap="sm">
        {past ? null : <ConnectionBadge of={log.connection} />}
        <span className="label" aria-live="off" data-lines={log.lines.length}>
          {count(log.lines.length, "line")}
        </span>
        {log.ends.older && log.lines.length > 0 && log.lines.length < MOST_LINES ? (
          <Button size="xs" variant="default" loading={log.reading === "older"} onClick={log.readOlder}>
            Older lines
          </Button>
        ) : null}
        {log.ends.newer ? (
          <Button size="xs" variant="default" loading={log.reading === "newer"} onClick={log.readNewer}>
            Newer lines
          </Button>
        ) : null}
        {past ? (
          <Button size="xs" variant="default" onClick={() => set({ until: undefined })}>
            To the newest lines
          </Button>
        ) : null}
        {filters.line ? (
          <Copied text={new URL(address(filters.line), location.origin).href} label="Copy the link to the line">
            <IconLink size={16} />
          </Copied>
        ) : null}
        <Group gap="sm" ml="auto">
          <Switch label="Times" checked={times} onChange={(event) => setTimes(event.currentTarget.checked)} />
          <Button
            size="xs"
            variant="default"
            leftSection={<IconDownload size={16} />}
            disabled={log.lines.length === 0}
            onClick={() => download(slug, log.lines)}
          >
            Download these lines
          </Button>
        </Group>
      </Group>
    </Stack>
  );
}

function emptyWords(reading: boolean, past: boolean, filters: LogFilters): string {
  if (reading) return "The log is being read …";
  if (past) return "No line that is kept fits. Look at another time, or for something else.";
  if (narrows(filters)) return "No line fits yet. New ones that do come by themselves.";
  return "Nothing was written yet. New lines come by themselves.";
}

const RANGES = [
  { value: "", label: "Any time" },
  { value: "15m", label: "Last 15 minutes" },
  { value: "1h", label: "Last hour" },
  { value: "6h", label: "Last 6 hours" },
  { value: "1d", label: "Last day" },
  { value: "1w", label: "Last week" },
];
const BETWEEN = "between";

interface FiltersProps {
  filters: LogFilters;
  app: Schemas["AppAnswer"] | undefined;
  onSet: (change: LogFilters) => void;
}

function Filters({ filters, app, onSet }: FiltersProps) {
  const [text, setText] = useState(filters.text ?? "");
  const searched = useRef(filters.text ?? "");
  const search = useDebouncedCallback((wanted: string) => {
    searched.current = wanted;
    onSet({ text: wanted || undefined });
  }, SETTLED_MS);
  // Another address, such as after going back, has another text. What was just searched for is being typed on.
  useEffect(() => {
    const text = filters.text ?? "";
    if (text === searched.current) return;
    searched.current = text;
    setText(text);
  }, [filters.text]);
  const relative = RANGES.some(({ value }) => value === (filters.since ?? "")) && filters.until === undefined;
  const [between, setBetween] = useState(!relative);
  const hourAgo = () => new Date(Date.now() - 3_600_000).toISOString();
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <SearchField
          className="grow"
          label={filters.regex ? "Only lines that match" : "Only lines with this text"}
          value={text}
          maxLength={1000}
          onSet={(wanted) => {
            setText(wanted);
            search(wanted.trim());
          }}
        />
        <Switch
          label="Expression"
          checked={filters.regex === true}
          onChange={(event) => onSet({ regex: event.currentTarget.checked || undefined })}
        />
      </Group>
      <Group gap="sm">
        <NativeSelect
          aria-label="Source"
          data={[{ value: "", label: "All sources" }, ...SOURCES.map((value) => ({ value, label: value }))]}
          value={filters.source ?? ""}
          onChange={(event) => onSet({ source: (event.currentTarget.value || undefined) as LogFilters["source"] })}
        />
        <NativeSelect
          aria-label="Process"
          data={[{ value: "", label: "All processes" }, ...processes(app, filters.process)]}
          value={filters.process ?? ""}
          onChange={(event) => onSet({ process: event.currentTarget.value || undefined })}
        />
        <NativeSelect
          aria-label="Level"
          data={[
            { value: "", label: "Any level" },
            ...LEVELS.map((value) => ({ value, label: value === "fatal" ? value : `${value} and worse` })),
          ]}
          value={filters.level ?? ""}
          onChange={(event) => onSet({ level: (event.currentTarget.value || undefined) as LogFilters["level"] })}
        />
        <NativeSelect
          aria-label="Time"
          data={[...RANGES, { value: BETWEEN, label: "Between …" }]}
          value={between ? BETWEEN : (filters.since ?? "")}
          onChange={(event) => {
            const { value } = event.currentTarget;
            setBetween(value === BETWEEN);
            if (value === BETWEEN) onSet({ since: hourAgo(), until: new Date().toISOString() });
            else onSet({ since: value || undefined, until: undefined });
          }}
        />
        {between ? (
          <>
            <TextInput
              type="datetime-local"
              aria-label="From"
              value={fieldOf(filters.since)}
              onChange={(event) => onSet({ since: momentOf(event.currentTarget.value) })}
            />
            <TextInput
              type="datetime-local"
              aria-label="Until"
              value={fieldOf(filters.until)}
              onChange={(event) => onSet({ until: momentOf(event.currentTarget.value) })}
            />
          </>
        ) : null}
      </Group>
    </Stack>
  );
}

/** Process types and their replicas, with the one that is chosen, which may be gone. */
function processes(app: Schemas["AppAnswer"] | undefined, chosen: string | undefined): string[] {
  const all = Object.entries(app?.formation ?? {}).flatMap(([type, replicas]) => [
    type,
    ...(replicas > 1 ? Array.from({ length: replicas }, (_, index) => `${type}.${index + 1}`) : []),
  ]);
  return chosen && !all.includes(chosen) ? [...all, chosen] : all;
}

function download(slug: string, lines: readonly Line[]) {
  const text = lines.map((line) => `${line.at ?? ""} ${line.process ?? ""} ${textOf(line.text)}\n`).join("");
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${slug}.log`;
  link.click();
  URL.revokeObjectURL(url);
}
