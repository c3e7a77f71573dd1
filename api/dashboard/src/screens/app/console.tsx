// A one-off process of the app, such as a shell, in the browser.
import { Alert, Button, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useId, useRef, useState } from "react";
import { api, data } from "../../api/client";
import { words } from "../../api/problem";
import { appQuery } from "../../api/queries";
import { TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Waiting } from "../../parts/loading";
import { LOOK_ONLY, useMay } from "../../parts/roles";

const route = getRouteApi("/shell/apps/$app");

export function Console() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug)).data;
  const may = useMay(app?.organization_id);
  const [command, setCommand] = useState("bash");
  const [runs, setRuns] = useState<{ command: string; number: number } | null>(null);
  const [end, setEnd] = useState<End | null>(null);
  if (!app) return <Waiting />;
  if (!may.change) return <Text c="dimmed">{LOOK_ONLY}</Text>;
  if (!app.version) {
    return <Text c="dimmed">The app has no release yet, so there is nothing to run a command in. Push it first.</Text>;
  }
  const open = runs !== null && end === null;
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        A process of its own, in a container of v{app.version} with the current config vars. It ends with this page, and
        costs nothing.
      </Text>
      <Form
        row
        // Enter in the field is not to begin another one over what runs.
        pending={open}
        onSubmit={() => {
          setEnd(null);
          setRuns({ command: command.trim(), number: (runs?.number ?? 0) + 1 });
        }}
        action={open ? undefined : "Run"}
        more={
          open ? (
            <Button variant="default" onClick={() => setEnd({ words: "You ended it.", failed: false })}>
              End it
            </Button>
          ) : null
        }
      >
        <TextField
          name="command"
          className="grow"
          label="Command"
          required
          maxLength={8000}
          readOnly={open}
          classNames={{ input: "mono" }}
          value={command}
          onSet={setCommand}
        />
      </Form>
      {end ? (
        <Alert color={end.failed ? "red" : "gray"} p="sm" role="status">
          {end.words}
        </Alert>
      ) : null}
      {runs ? (
        <Session
          key={runs.number}
          slug={slug}
          command={runs.command}
          open={end === null}
          onEnd={(one) => setEnd((before) => before ?? one)}
        />
      ) : null}
    </Stack>
  );
}

interface End {
  words: string;
  failed: boolean;
}

interface SessionProps {
  slug: string;
  command: string;
  open: boolean;
  onEnd: (end: End) => void;
}

function Session({ slug, command, open, onEnd }: SessionProps) {
  const place = useRef<HTMLDivElement>(null);
  const running = useRef<{ end: () => void } | null>(null);
  const wanted = useRef(open);
  wanted.current = open;
  const ended = useRef(onEnd);
  ended.current = onEnd;
  const leaving = useId();

  useEffect(() => {
    const box = place.current;
    if (!box) return;
    let gone = false;
    let close = () => {};
    const begin = async () => {
      const [{ openScreen }] = await Promise.all([
        import("./terminal"),
        // A WebSocket cannot renew a session that ran out.
        data(api.GET("/api/paas/apps/{app}", { params: { path: { app: slug } } })),
      ]);
      // Somebody may have ended it before it began.
      if (gone || !wanted.current) return;
      const connection = new WebSocket(address(slug));
      connection.binaryType = "arraybuffer";
      const send = (message: string | Uint8Array<ArrayBuffer>) => {
        if (connection.readyState === WebSocket.OPEN) connection.send(message);
      };
      const screen = openScreen(box, {
        onInput: (bytes) => send(new Uint8Array(bytes)),
        onSize: (columns, rows) => send(JSON.stringify({ columns, rows })),
      });
      // What was written stays to be read.
      running.current = {
        end: () => {
          connection.close();
          screen.end();
        },
      };
      close = () => {
        connection.close();
        screen.close();
      };
      let last: End = { words: "The connection was lost, and the process ended with it. Run it again.", failed: true };
      connection.onopen = () => {
        send(JSON.stringify({ command, columns: screen.columns, rows: screen.rows }));
        screen.focus();
      };
      connection.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
        if (typeof data === "string") last = endOf(data) ?? last;
        else screen.write(new Uint8Array(data));
      };
      connection.onclose = () => {
        if (!gone) ended.current(last);
      };
    };
    begin().catch((error) => !gone && ended.current({ words: words(error), failed: true }));
    return () => {
      gone = true;
      close();
    };
  }, [slug, command]);

  useEffect(() => {
    if (!open) running.current?.end();
  }, [open]);

  return (
    <>
      <section
        className="console-screen"
        ref={place}
        aria-label={`Terminal of ${slug}`}
        aria-describedby={open ? leaving : undefined}
        data-open={open}
      />
      {open ? (
        <Text size="sm" c="dimmed" id={leaving}>
          Tab goes to the process. Escape and then Tab leaves the terminal.
        </Text>
      ) : null}
    </>
  );
}

function address(slug: string): string {
  const url = new URL(`/api/paas/apps/${encodeURIComponent(slug)}/console`, location.origin);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** What the last message says. */
function endOf(message: string): End | null {
  const told = JSON.parse(message) as { exit?: number; error?: string };
  if (told.error !== undefined) return { words: told.error, failed: true };
  if (told.exit === undefined) return null;
  return { words: `It ended with the status ${told.exit}.`, failed: told.exit !== 0 };
}
