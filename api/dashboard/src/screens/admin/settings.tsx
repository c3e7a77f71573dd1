// The platform's settings, as a form made of what the API says of each. Masked ones are never shown; what they lead to can
// be tried before it is saved.
import { Alert, Button, Group, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data, type Schemas } from "../../api/client";
import { adminSettingsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count } from "../../parts/amounts";
import { useDraft } from "../../parts/draft";
import { ChoiceField, TextField } from "../../parts/fields";
import { FormBody, useReason } from "../../parts/form";
import { Loaded, Refused } from "../../parts/loading";
import { Marked } from "../../parts/marked";
import { NumberField } from "../../parts/number_field";
import { PasswordField } from "../../parts/password_field";
import { useSearch } from "../../parts/search_field";
import { Unsaved } from "../../parts/unsaved";

type Item = Schemas["SettingItem"];
type Values = Record<string, Schemas["SettingValue"]>;

export function AdminSettings() {
  const settings = useQuery(adminSettingsQuery);
  return <Loaded query={settings}>{(settings) => <Settings settings={settings} />}</Loaded>;
}

function Settings({ settings }: { settings: Item[] }) {
  const { settled, field } = useSearch("Search settings");
  const { draft, changed, set, discard, send, unsaved } = useDraft(valuesOf(settings), { exact: true });
  const wanted = settled.toLowerCase();
  const shown = settings.filter(
    (one) => one.key.toLowerCase().includes(wanted) || one.description.toLowerCase().includes(wanted),
  );
  const groups = [...new Set(shown.map((one) => one.group))];
  const number = Object.keys(changed).length;
  const save = useAction({
    run: (changed: Partial<Values>) =>
      data(api.PUT("/api/admin/paas/settings", { body: { settings: changed as Values } })),
    done: "Saved. Every process of Skypanel sees it within a second.",
    changes: [["admin", "settings"]],
    quiet: true,
  });
  const validate = useAction({
    run: () => data(api.POST("/api/admin/paas/settings/validate", { body: { settings: changed as Values } })),
    quiet: true,
  });
  return (
    <Stack gap="lg" maw={860}>
      {field}
      <Unsaved changes={unsaved(save)} />
      <FormBody onSubmit={() => send(save)} pending={save.isPending} error={save.error}>
        {(rest) => (
          <Stack gap="lg">
            <Group gap="xs" className="stays">
              <Button type="submit" disabled={number === 0} loading={save.isPending}>
                {number === 0 ? "Save" : `Save ${count(number, "change")}`}
              </Button>
              <Button variant="default" disabled={number === 0} onClick={discard}>
                Discard
              </Button>
              <Button variant="default" loading={validate.isPending} onClick={() => validate.mutate()}>
                Test the connections
              </Button>
            </Group>
            <Refused error={rest ?? validate.error} />
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
                      <Setting key={one.key} of={one} value={draft[one.key] ?? null} onSet={set(one.key)} />
                    ))}
                </Stack>
              </section>
            ))}
          </Stack>
        )}
      </FormBody>
    </Stack>
  );
}

/** A masked one is empty until another is typed, and null when it is to be removed. */
function valuesOf(settings: Item[]): Values {
  return Object.fromEntries(settings.map((one) => [one.key, one.sensitive ? "" : one.value]));
}

interface SettingProps {
  of: Item;
  value: Schemas["SettingValue"];
  onSet: (value: Schemas["SettingValue"]) => void;
}

function Setting({ of, value, onSet }: SettingProps) {
  const reason = useReason(of.key);
  const shared = {
    name: of.key,
    label: of.key,
    description: (
      <Marked text={of.needs_restart ? `${of.description} It takes effect at the next start.` : of.description} />
    ),
    classNames: { label: "mono" },
  };
  if (of.sensitive) {
    const goes = value === null;
    return (
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <PasswordField
          {...shared}
          className="grow"
          required={false}
          placeholder={goes ? "Removed once you save" : of.is_set ? "There is one; another replaces it" : "Not set"}
          autoComplete="new-password"
          visibilityToggleButtonProps={{ "aria-label": `Show ${of.key}` }}
          value={typeof value === "string" ? value : ""}
          onSet={onSet}
        />
        {of.is_set ? (
          <Button
            variant="default"
            aria-label={`${goes ? "Keep" : "Remove"} ${of.key}`}
            onClick={() => onSet(goes ? "" : null)}
          >
            {goes ? "Keep" : "Remove"}
          </Button>
        ) : null}
      </Group>
    );
  }
  if (of.kind === "switch") {
    return (
      <Switch
        {...shared}
        error={reason}
        checked={value === true}
        onChange={(event) => onSet(event.currentTarget.checked)}
      />
    );
  }
  if (of.kind === "choice") {
    return <ChoiceField {...shared} data={of.choices} value={String(value ?? "")} onSet={onSet} />;
  }
  if (of.kind === "number") {
    return (
      <NumberField
        {...shared}
        min={of.minimum ?? undefined}
        max={of.maximum ?? undefined}
        value={typeof value === "number" ? value : null}
        onSet={onSet}
      />
    );
  }
  return <TextField {...shared} value={String(value ?? "")} onSet={onSet} />;
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
