// Config vars: their names and ages. Values go in and are never told again. All changes are saved at once, so that the
// app rolls out once.
import { ActionIcon, Button, Group, PasswordInput, Stack, Switch, Text } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, envQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";
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
  const [changes, setChanges] = useState<Changes>({});
  const [pasting, setPasting] = useState(false);
  const runs = Boolean(app?.version) && app?.status !== "stopped" && app?.status !== "suspended";
  const there = vars.data?.map(({ key }) => key) ?? [];
  const set = (key: string, value: string | null) => setChanges((before) => ({ ...before, [key]: value }));
  const drop = (key: string) => setChanges(({ [key]: _, ...rest }) => rest);
  return (
    <Stack gap="lg" maw={860}>
      <Text c="dimmed" size="sm">
        Your app reads these as environment variables. Values are encrypted and never shown again.
      </Text>
      {may.change ? (
        <>
          <Add onAdd={set} />
          <Group>
            <Button variant="default" size="xs" onClick={() => setPasting(true)}>
              Paste a .env file
            </Button>
          </Group>
        </>
      ) : (
        <Text size="sm" c="dimmed">
          {LOOK_ONLY}
        </Text>
      )}
      <Loaded query={vars}>
        {(vars) => <Vars vars={vars} changes={changes} may={may.change} onSet={set} onDrop={drop} />}
      </Loaded>
      {Object.keys(changes).length > 0 ? (
        <>
          <Save slug={slug} runs={runs} changes={changes} there={there} onDone={() => setChanges({})} />
          <Unsaved changes={Object.keys(changes).length} />
        </>
      ) : null}
      {pasting ? <Paste slug={slug} runs={runs} there={there} onClose={() => setPasting(false)} /> : null}
    </Stack>
  );
}

function Add({ onAdd }: { onAdd: (key: string, value: string) => void }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const name = useRef<HTMLInputElement>(null);
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

interface VarsProps {
  vars: Schemas["ConfigItem"][];
  changes: Changes;
  may: boolean;
  onSet: (key: string, value: string | null) => void;
  onDrop: (key: string) => void;
}

function Vars({ vars, changes, may, onSet, onDrop }: VarsProps) {
  const there = new Map(vars.map((one) => [one.key, one]));
  const keys = [...new Set([...there.keys(), ...Object.keys(changes)])].sort();
  if (keys.length === 0) return <Text c="dimmed">No config var yet.</Text>;
  return (
    <ul className="plain-list rows" aria-label="Config vars">
      {keys.map((key) => (
        <Row
          key={key}
          name={key}
          since={there.get(key)?.updated_at}
          change={changes[key]}
          may={may}
          onSet={onSet}
          onDrop={onDrop}
        />
      ))}
    </ul>
  );
}

interface RowProps {
  name: string;
  since: string | undefined;
  change: string | null | undefined;
  may: boolean;
  onSet: (key: string, value: string | null) => void;
  onDrop: (key: string) => void;
}

function Row({ name, since, change, may, onSet, onDrop }: RowProps) {
  const [editing, setEditing] = useState(false);
  const [value, setValue] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSet(name, value);
    setEditing(false);
    setValue("");
  };
  return (
    <li>
      <span className="mono break grow">{name}</span>
      {editing ? (
        <form onSubmit={submit} className="grow">
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
            <Button size="xs" variant="default" onClick={() => setEditing(false)}>
              Leave it
            </Button>
          </Group>
        </form>
      ) : (
        <Text size="sm" c={change === undefined ? "dimmed" : undefined} fw={change === undefined ? 400 : 600}>
          {said(since, change)} {change === undefined && since ? <Ago at={since} /> : null}
        </Text>
      )}
      {may && !editing ? (
        <Group gap={4}>
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
                onClick={() => onSet(name, null)}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </>
          ) : (
            <Button
              size="xs"
              variant="default"
              onClick={() => onDrop(name)}
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
  changes: Changes;
  there: string[];
  onDone: () => void;
}

function Save({ slug, runs, changes, there, onDone }: SaveProps) {
  const save = useAction({
    run: () =>
      data(api.PATCH("/api/paas/apps/{app}/env", { params: { path: { app: slug } }, body: { vars: changes } })),
    done: (answer: Schemas["ConfigAnswer"]) => rolledOut(answer),
    changes: [["app", slug], ["apps"]],
    onDone,
    quiet: true,
  });
  const number = Object.keys(changes).length;
  return (
    <div className="save-bar">
      <Refused error={save.error} />
      <Previewed of={previewOfChanges(changes, there)} />
      <Group justify="space-between">
        <Text size="sm">
          {count(number, "change")} not saved. {whenItCounts(runs)}
        </Text>
        <Group gap="xs">
          <Button variant="default" onClick={onDone}>
            Discard
          </Button>
          <Button loading={save.isPending} onClick={() => save.mutate()}>
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
