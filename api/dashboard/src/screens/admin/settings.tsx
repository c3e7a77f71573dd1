// The platform's settings, as a form made of what the API says of each. Masked ones are never shown; what they lead to can
// be tried before it is saved.
import {
  Alert,
  Button,
  Group,
  NativeSelect,
  NumberInput,
  PasswordInput,
  Stack,
  Switch,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { Problem } from "../../api/problem";
import { adminSettingsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count } from "../../parts/amounts";
import { Loaded, Refused } from "../../parts/loading";
import { useSearch } from "../../parts/search_field";

type Item = Schemas["SettingItem"];
type Values = Record<string, Schemas["SettingValue"]>;

export function AdminSettings() {
  const settings = useQuery(adminSettingsQuery);
  return <Loaded query={settings}>{(settings) => <Form settings={settings} />}</Loaded>;
}

function Form({ settings }: { settings: Item[] }) {
  const { settled, field } = useSearch("Search settings");
  const [changed, setChanged] = useState<Values>({});
  const set = (key: string, value: Schemas["SettingValue"]) => setChanged((before) => ({ ...before, [key]: value }));
  const wanted = settled.toLowerCase();
  const shown = settings.filter(
    (one) => one.key.toLowerCase().includes(wanted) || one.description.toLowerCase().includes(wanted),
  );
  const groups = [...new Set(shown.map((one) => one.group))];
  const number = Object.keys(changed).length;
  const save = useAction({
    run: () => data(api.PUT("/api/admin/paas/settings", { body: { settings: changed } })),
    done: "Saved. Every process of Skypanel sees it within a second.",
    changes: [["admin", "settings"]],
    onDone: () => setChanged({}),
    quiet: true,
  });
  const validate = useAction({
    run: () => data(api.POST("/api/admin/paas/settings/validate", { body: { settings: changed } })),
    quiet: true,
  });
  const fields = save.error instanceof Problem ? save.error.fields : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="lg" maw={860}>
        {field}
        <Group gap="xs">
          <Button type="submit" disabled={number === 0} loading={save.isPending}>
            {number === 0 ? "Save" : `Save ${count(number, "change")}`}
          </Button>
          <Button variant="default" disabled={number === 0} onClick={() => setChanged({})}>
            Discard
          </Button>
          <Button variant="default" loading={validate.isPending} onClick={() => validate.mutate()}>
            Try what they lead to
          </Button>
        </Group>
        <Refused error={save.error ?? validate.error} />
        {validate.data ? <Checks of={validate.data} /> : null}
        {shown.length === 0 ? <Text c="dimmed">No setting fits.</Text> : null}
        {groups.map((group) => (
          <section key={group} aria-label={group}>
            <Title order={2} size="h4" mb="sm">
              {group}
            </Title>
            <Stack gap="md">
              {shown
                .filter((one) => one.group === group)
                .map((one) => (
                  <Setting
                    key={one.key}
                    of={one}
                    value={one.key in changed ? changed[one.key] : one.value}
                    error={fields[one.key]}
                    onSet={(value) => set(one.key, value)}
                  />
                ))}
            </Stack>
          </section>
        ))}
      </Stack>
    </form>
  );
}

interface SettingProps {
  of: Item;
  value: Schemas["SettingValue"] | undefined;
  error: string | undefined;
  onSet: (value: Schemas["SettingValue"]) => void;
}

function Setting({ of, value, error, onSet }: SettingProps) {
  const shared = {
    label: of.key,
    description: of.needs_restart ? `${of.description} It counts from the next start on.` : of.description,
    error,
    labelProps: { className: "mono" },
  };
  if (of.sensitive) {
    return (
      <PasswordInput
        {...shared}
        placeholder={of.is_set ? "There is one; another replaces it" : "Not set"}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ "aria-label": `Show ${of.key}` }}
        value={typeof value === "string" ? value : ""}
        onChange={(event) => onSet(event.currentTarget.value)}
      />
    );
  }
  if (of.kind === "switch") {
    return <Switch {...shared} checked={value === true} onChange={(event) => onSet(event.currentTarget.checked)} />;
  }
  if (of.kind === "choice") {
    return (
      <NativeSelect
        {...shared}
        data={of.choices}
        value={String(value ?? "")}
        onChange={(event) => onSet(event.currentTarget.value)}
      />
    );
  }
  if (of.kind === "number") {
    return (
      <NumberInput
        {...shared}
        allowDecimal={false}
        min={of.minimum ?? undefined}
        max={of.maximum ?? undefined}
        value={typeof value === "number" ? value : ""}
        onChange={(given) => onSet(given === "" ? null : Number(given))}
      />
    );
  }
  return <TextInput {...shared} value={String(value ?? "")} onChange={(event) => onSet(event.currentTarget.value)} />;
}

function Checks({ of }: { of: Schemas["ChecksAnswer"] }) {
  return (
    <Alert
      color={of.ok ? "green" : "red"}
      title={of.ok ? "Everything that is set up answers" : "Not everything answers"}
    >
      <ul className="plain-list">
        {of.checks.map((one) => (
          <li key={one.part}>
            {one.part.replaceAll("_", " ")}: {one.outcome.replaceAll("_", " ")}. {one.message}
          </li>
        ))}
      </ul>
    </Alert>
  );
}
