// Whom alerts are told to, with a try, and what became of each message: for owners of an organisation, or for admins of
// the platform.
import { Alert, Button, Group, Menu, Stack, Text, Title } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { messagesQuery, targetsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, TextField } from "../../parts/fields";
import { Loaded } from "../../parts/loading";
import { Paged } from "../../parts/paged";
import { ShownOnce } from "../../parts/shown_once";
import { Status } from "../../parts/status";
import { Ago } from "../../parts/time";
import { changeTarget, makeTarget, removeTarget, renewSecret, type Target, tryTarget } from "./target_api";

type Kind = Schemas["TargetKind"];
const KINDS: { value: Kind; label: string; address: string; example: string }[] = [
  { value: "email", label: "E-mail", address: "E-mail address", example: "ops@example.com" },
  { value: "webhook", label: "Webhook", address: "URL", example: "https://example.com/alerts" },
  { value: "slack", label: "Slack", address: "URL of its webhook", example: "https://hooks.slack.com/services/…" },
];
const SEVERITIES: { value: Schemas["Severity"]; label: string }[] = [
  { value: "warning", label: "warnings and critical alerts" },
  { value: "critical", label: "only critical alerts" },
];

export function Targets({ organization }: { organization: string | null }) {
  const targets = useQuery(targetsQuery(organization));
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <section aria-labelledby="targets">
      <Stack gap="sm">
        <div className="title-row">
          <Title order={organization ? 3 : 2} size="h4" id="targets">
            Who is told of alerts
          </Title>
          <Button size="xs" variant="default" onClick={() => setAdding(true)}>
            Add a target
          </Button>
        </div>
        {secret ? (
          <ShownOnce secret={secret} label="Copy the secret">
            Its calls are signed with this secret.
          </ShownOnce>
        ) : null}
        <Loaded query={targets} lines={1}>
          {(targets) =>
            targets.length === 0 ? (
              <Text c="dimmed">Nobody is told yet.</Text>
            ) : (
              targets.map((one) => (
                <TargetCard key={one.id} organization={organization} of={one} onSecret={setSecret} />
              ))
            )
          }
        </Loaded>
        {adding ? <Add organization={organization} onSecret={setSecret} onClose={() => setAdding(false)} /> : null}
      </Stack>
    </section>
  );
}

function Add({
  organization,
  onSecret,
  onClose,
}: {
  organization: string | null;
  onSecret: (secret: string | null) => void;
  onClose: () => void;
}) {
  const [kind, setKind] = useState<Kind>("email");
  const [address, setAddress] = useState("");
  const [least, setLeast] = useState<Schemas["Severity"]>("warning");
  const [rules, setRules] = useState("");
  const named = rules.split(/[\s,]+/).filter(Boolean) as Schemas["AlertRule"][];
  const of = KINDS.find(({ value }) => value === kind);
  const add = useAction({
    run: () =>
      makeTarget(organization, {
        kind,
        address: address.trim(),
        enabled: true,
        min_severity: least,
        rules: named.length > 0 ? named : null,
      }),
    done: "Alerts go there from now on. Try it.",
    changes: [organization ? ["organizations", organization] : ["admin"]],
    onDone: (made) => {
      onSecret(made.secret ?? null);
      onClose();
    },
    quiet: true,
  });
  return (
    <Dialog
      title="Add a target"
      onClose={onClose}
      onSubmit={() => add.mutate()}
      action="Add it"
      pending={add.isPending}
      error={add.error}
    >
      <ChoiceField
        name="kind"
        label="Kind"
        data={KINDS.map(({ value, label }) => ({ value, label }))}
        value={kind}
        onSet={setKind}
      />
      <TextField
        name="address"
        label={of?.address}
        placeholder={of?.example}
        type={kind === "email" ? "email" : "url"}
        required
        data-autofocus
        value={address}
        onSet={setAddress}
      />
      <ChoiceField name="min_severity" label="Is told of" data={SEVERITIES} value={least} onSet={setLeast} />
      <TextField
        name="rules"
        label="Only these rules"
        description="Separated by commas, such as app_deploys_failing. Left empty: all."
        value={rules}
        onSet={setRules}
      />
    </Dialog>
  );
}

interface TargetProps {
  organization: string | null;
  of: Target;
  onSecret: (secret: string | null) => void;
}

function TargetCard({ organization, of, onSecret }: TargetProps) {
  const [open, setOpen] = useState(false);
  const [removing, setRemoving] = useState(false);
  const changes = [organization ? ["organizations", organization] : ["admin"]];
  const attempt = useAction({ run: () => tryTarget(organization, of.id), changes, quiet: true });
  const change = useAction({
    run: (enabled: boolean) => changeTarget(organization, of.id, { enabled }),
    changes,
  });
  const renew = useAction({
    run: () => renewSecret(organization, of.id),
    changes,
    onDone: (renewed) => onSecret(renewed.secret ?? null),
  });
  const remove = useAction({
    run: () => removeTarget(organization, of.id),
    done: `${of.address} is no longer told of alerts.`,
    changes,
    onDone: () => setRemoving(false),
    quiet: true,
  });
  const kind = KINDS.find(({ value }) => value === of.kind);
  return (
    <div className="card" data-target={of.address}>
      <Stack gap="sm">
        <Group justify="space-between">
          <div className="grow">
            <Text fw={600} className="break">
              {of.address}
            </Text>
            <Text size="sm" c="dimmed" className="break">
              {kind?.label} · {SEVERITIES.find(({ value }) => value === of.min_severity)?.label}
              {of.rules ? ` · ${(of.rules as string[]).join(", ")}` : ""}
            </Text>
          </div>
          {of.enabled ? null : <Status of="inactive" words="switched off" />}
        </Group>
        {attempt.data ? (
          <Alert color={attempt.data.sent ? "green" : "red"} p="sm" role="status">
            {attempt.data.message}
          </Alert>
        ) : null}
        {attempt.error ? (
          <Alert color="red" p="sm" role="alert">
            {attempt.error.message}
          </Alert>
        ) : null}
        <Group gap="xs">
          <Button size="xs" variant="default" loading={attempt.isPending} onClick={() => attempt.mutate()}>
            Try it
          </Button>
          <Button size="xs" variant="default" aria-expanded={open} onClick={() => setOpen(!open)}>
            Messages
          </Button>
          <Menu position="bottom-start">
            <Menu.Target>
              <Button size="xs" variant="default" px={8} aria-label={`More about ${of.address}`}>
                <IconDots size={16} />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => change.mutate(!of.enabled)}>
                {of.enabled ? "Switch off" : "Switch on"}
              </Menu.Item>
              {of.kind === "webhook" ? <Menu.Item onClick={() => renew.mutate()}>New secret</Menu.Item> : null}
              <Menu.Item color="red" onClick={() => setRemoving(true)}>
                Remove
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
        {open ? <Messages organization={organization} id={of.id} /> : null}
      </Stack>
      {removing ? (
        <Dialog
          title={`Remove ${of.address}?`}
          onClose={() => setRemoving(false)}
          onSubmit={() => remove.mutate()}
          action="Remove"
          danger
          pending={remove.isPending}
          error={remove.error}
        >
          <Text size="sm">It is no longer told of alerts, and the record of its messages is deleted.</Text>
        </Dialog>
      ) : null}
    </div>
  );
}

function Messages({ organization, id }: { organization: string | null; id: string }) {
  const messages = useInfiniteQuery(messagesQuery(organization, id));
  return (
    <Paged query={messages} empty="No message yet.">
      {(items) => (
        <ul className="plain-list rows" aria-label="Messages">
          {items.map((one) => (
            <li key={one.id}>
              <div className="grow">
                <Text size="sm" className="break">
                  {one.is_test ? "A test" : one.tells.join(" ")}
                </Text>
                <Text size="sm" c="dimmed" className="break">
                  <Ago at={one.created_at} />
                  {one.answer ? ` · ${one.answer}` : ""}
                  {one.next_try_at ? (
                    <>
                      {" "}
                      · again <Ago at={one.next_try_at} />
                    </>
                  ) : null}
                </Text>
              </div>
              <Status
                of={one.state === "sent" ? "succeeded" : one.state === "failed" ? "failed" : "pending"}
                words={one.state}
              />
            </li>
          ))}
        </ul>
      )}
    </Paged>
  );
}
