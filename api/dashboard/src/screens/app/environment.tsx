// Config vars: their names and ages. Values go in and are never told again. All changes are saved at once, so that the
// app rolls out once.
import { ActionIcon, Button, Group, PasswordInput, Stack, Switch, Text } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type FormEvent, type RefObject, useEffect, useRef, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, envQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";
import { type Draft, useDraft } from "../../parts/draft";
import { LinesField, TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Loaded, Refused } from "../../parts/loading";
import { PasswordField } from "../../parts/password_field";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { Ago } from "../../parts/time";
import { Unsaved } from "../../parts/unsaved";
import { type Preview, previewOf, previewOfChanges } from "./env_preview";

const route = getRouteApi("/shell/apps/$app");

/** What is to be changed: a new value, or null to remove the var. */
type Changes = Record<string, string | null>;

export function Environment() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug)).data;
  const vars = useQuery(envQuery(slug));
  const may = useMay(app?.organization_id);
  const runs = Boolean(app?.version) && app?.status !== "stopped" && app?.status !== "suspended";
  return (
    <Stack gap="lg" maw={860}>
      <Text c="dimmed" size="sm">
        Your app reads these as environment variables. Values are encrypted and never shown again.
      </Text>
      {may.change ? null : (
        <Text size="sm" c="dimmed">
          {LOOK_ONLY}
        </Text>
      )}
      <Loaded query={vars}>{(vars) => <Vars slug={slug} runs={runs} vars={vars} may={may.change} />}</Loaded>
    </Stack>
  );
}

interface VarsProps {
  slug: string;
  runs: boolean;
  vars: Schemas["ConfigItem"][];
  may: boolean;
}

function Vars({ slug, runs, vars, may }: VarsProps) {
  const changes = useDraft<Changes>({}, { exact: true });
  const [pasting, setPasting] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const since = new Map(vars.map((one) => [one.key, one.updated_at]));
  const there = [...since.keys()];
  const changed = Object.keys(changes.changed);
  const keys = [...new Set([...there, ...changed])].sort();
  const isChanged = changed.length > 0;
  const wasChanged = useRef(false);
  // The button that saved or discarded is gone with what it did.
  useEffect(() => {
    if (wasChanged.current && !isChanged && document.activeElement === document.body) list.current?.focus();
    wasChanged.current = isChanged;
  }, [isChanged]);
  return (
    <>
      {may ? (
        <>
          <Add name={name} onAdd={(key, value) => changes.set(key)(value)} />
          <Group>
            <Button variant="default" size="xs" onClick={() => setPasting(true)}>
              Paste a .env file
            </Button>
          </Group>
        </>
      ) : null}
      {keys.length === 0 ? (
        <Text c="dimmed">No config var yet.</Text>
      ) : (
        <ul ref={list} tabIndex={-1} className="plain-list rows" aria-label="Config vars">
          {keys.map((key) => (
            <Row
              key={key}
              name={key}
              since={since.get(key)}
              change={changes.changed[key]}
              may={may}
              onSet={changes.set(key)}
              onDrop={() => {
                changes.drop(key);
                // Its row goes with it.
                if (!since.has(key)) name.current?.focus();
              }}
            />
          ))}
        </ul>
      )}
      {isChanged ? <Save slug={slug} runs={runs} changes={changes} there={there} /> : null}
      {pasting ? <Paste slug={slug} runs={runs} there={there} onClose={() => setPasting(false)} /> : null}
    </>
  );
}

interface AddProps {
  name: RefObject<HTMLInputElement | null>;
  onAdd: (key: string, value: string) => void;
}

function Add({ name, onAdd }: AddProps) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  return (
    <Form
      row
      label="Add a config var"
      onSubmit={() => {
        onAdd(key.trim(), value);
        setKey("");
        setValue("");
        name.current?.focus();
      }}
      action="Add"
      main={false}
    >
      <Unsaved changes={key || value ? 1 : 0} />
      <TextField
        ref={name}
        name="key"
        label="Name"
        className="grow"
        classNames={{ input: "mono" }}
        placeholder="DATABASE_URL"
        required
        pattern="[A-Z_][A-Z0-9_]*"
        title="Capital letters, digits and underscores"
        autoComplete="off"
        spellCheck={false}
        value={key}
        onSet={(typed) => setKey(typed.toUpperCase())}
      />
      <PasswordField
        name="value"
        label="Value"
        className="grow"
        required={false}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ "aria-label": "Show the value" }}
        value={value}
        onSet={setValue}
      />
    </Form>
  );
}

interface RowProps {
  name: string;
  since: string | undefined;
  change: string | null | undefined;
  may: boolean;
  onSet: (value: string | null) => void;
  onDrop: () => void;
}

function Row({ name, since, change, may, onSet, onDrop }: RowProps) {
  const [editing, setEditing] = useState(false);
  const buttons = useRef<HTMLDivElement>(null);
  const moves = useRef(false);
  // What was pressed gives way to another button, which is where the keyboard goes on.
  useEffect(() => {
    if (moves.current) buttons.current?.querySelector("button")?.focus();
    moves.current = false;
  });
  const leave = () => {
    moves.current = true;
    setEditing(false);
  };
  return (
    <li>
      <span className="mono break grow">{name}</span>
      {editing ? (
        <NewValue
          name={name}
          onKeep={(value) => {
            onSet(value);
            leave();
          }}
          onLeave={leave}
        />
      ) : (
        <Text size="sm" c={change === undefined ? "dimmed" : undefined} fw={change === undefined ? 400 : 600}>
          {said(since, change)} {change === undefined && since ? <Ago at={since} /> : null}
        </Text>
      )}
      {may && !editing ? (
        <Group gap={4} ref={buttons}>
          {change === undefined ? (
            <>
              <Button size="xs" variant="default" onClick={() => setEditing(true)} aria-label={`Change ${name}`}>
                Change
              </Button>
              <ActionIcon
                variant="subtle"
                color="red"
                aria-label={`Remove ${name}`}
                title={`Remove ${name}`}
                onClick={() => {
                  onSet(null);
                  moves.current = true;
                }}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </>
          ) : (
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                onDrop();
                moves.current = true;
              }}
              aria-label={`Take back the change of ${name}`}
            >
              Take back
            </Button>
          )}
        </Group>
      ) : null}
    </li>
  );
}

interface NewValueProps {
  name: string;
  onKeep: (value: string) => void;
  onLeave: () => void;
}

/** Forgets what was typed once it is gone. */
function NewValue({ name, onKeep, onLeave }: NewValueProps) {
  const [value, setValue] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onKeep(value);
  };
  return (
    <form onSubmit={submit} className="grow">
      <Unsaved changes={value ? 1 : 0} />
      <Group gap="xs" wrap="nowrap">
        <PasswordInput
          className="grow"
          size="xs"
          aria-label={`New value of ${name}`}
          autoComplete="new-password"
          autoFocus
          visibilityToggleButtonProps={{ "aria-label": "Show the value" }}
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
        />
        <Button size="xs" type="submit">
          Keep
        </Button>
        <Button size="xs" variant="default" onClick={onLeave}>
          Leave it
        </Button>
      </Group>
    </form>
  );
}

function said(since: string | undefined, change: string | null | undefined): string {
  if (change === undefined) return "set";
  if (change === null) return "will be removed";
  return since ? "will be changed" : "will be added";
}

const whenItCounts = (runs: boolean) =>
  runs ? "Saving rolls the app out once, without a gap." : "They take effect with the next release.";

function Previewed({ of }: { of: Preview }) {
  const parts = [
    ["Adds", of.added],
    ["Changes", of.changed],
    ["Removes", of.removed],
  ] as const;
  return (
    <ul className="plain-list" aria-label="What changes" aria-live="polite">
      {parts.map(([does, names]) =>
        names.length === 0 ? null : (
          <Text component="li" size="sm" key={does} className="break">
            {does} <span className="mono">{names.join(", ")}</span>
          </Text>
        ),
      )}
    </ul>
  );
}

interface SaveProps {
  slug: string;
  runs: boolean;
  changes: Draft<Changes>;
  there: string[];
}

function Save({ slug, runs, changes: { changed, discard, send, unsaved }, there }: SaveProps) {
  const save = useAction({
    run: (vars: Partial<Changes>) =>
      data(api.PATCH("/api/paas/apps/{app}/env", { params: { path: { app: slug } }, body: { vars: vars as Changes } })),
    done: (answer: Schemas["ConfigAnswer"]) => rolledOut(answer),
    changes: [["app", slug], ["apps"]],
    quiet: true,
  });
  const number = Object.keys(changed).length;
  return (
    <div className="save-bar">
      <Unsaved changes={unsaved(save)} />
      <Refused error={save.error} />
      <Previewed of={previewOfChanges(changed as Changes, there)} />
      <Group justify="space-between">
        <Text size="sm">
          {count(number, "change")} not saved. {whenItCounts(runs)}
        </Text>
        <Group gap="xs">
          <Button variant="default" onClick={discard}>
            Discard
          </Button>
          <Button loading={save.isPending} onClick={() => send(save)}>
            Save
          </Button>
        </Group>
      </Group>
    </div>
  );
}

function rolledOut(answer: Schemas["ConfigAnswer"]): string {
  return answer.deployment_id ? "Saved. The app is being rolled out with it." : "Saved.";
}

interface PasteProps {
  slug: string;
  runs: boolean;
  there: string[];
  onClose: () => void;
}

function Paste({ slug, runs, there, onClose }: PasteProps) {
  const [text, setText] = useState("");
  const [replace, setReplace] = useState(false);
  const preview = previewOf(text, there, replace);
  const load = useAction({
    run: () =>
      data(api.POST("/api/paas/apps/{app}/env/import", { params: { path: { app: slug } }, body: { text, replace } })),
    done: (answer: Schemas["ConfigAnswer"]) => `${count(answer.set.length, "var")} set. ${rolledOut(answer)}`,
    changes: [["app", slug], ["apps"]],
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title="Paste a .env file"
      onClose={onClose}
      onSubmit={() => load.mutate()}
      action="Set them"
      disabled={text.trim() === ""}
      pending={load.isPending}
      error={load.error}
      size="lg"
    >
      <LinesField
        name="text"
        label="Lines of NAME=value"
        rows={10}
        classNames={{ input: "mono" }}
        spellCheck={false}
        data-autofocus
        value={text}
        onSet={setText}
      />
      <Switch
        label="Remove all vars that are not in it"
        checked={replace}
        onChange={(event) => setReplace(event.currentTarget.checked)}
      />
      {text.trim() === "" ? null : (
        <div>
          <Previewed of={preview} />
          <Text size="sm" c="dimmed">
            {whenItCounts(runs)}
          </Text>
        </div>
      )}
    </Dialog>
  );
}
