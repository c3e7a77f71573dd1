// All organisations, with what they have and cost; limited, suspended and resumed, topped up, and deleted.
import { Button, Group, Menu, Radio, Stack, Switch, Text } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { adminOrganizationsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { cents, count, hourly, money } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";
import { useDraft } from "../../parts/draft";
import { TextField } from "../../parts/fields";
import { NumberField } from "../../parts/number_field";
import { Paged } from "../../parts/paged";
import { useSearch } from "../../parts/search_field";
import { Status } from "../../parts/status";
import { MoveMoney } from "./move_money";

type Item = Schemas["AdminOrganizationItem"];
type What = "suspend" | "top up" | "limit" | "delete";

const DIALOGS = { suspend: Suspend, "top up": MoveMoney, limit: Limit, delete: Delete };

export function AdminOrganizations() {
  const { settled, field } = useSearch("Search organisations");
  const organizations = useInfiniteQuery({ ...adminOrganizationsQuery(settled), placeholderData: keepPreviousData });
  const [asked, setAsked] = useState<{ what: What; of: Item } | null>(null);
  const Asked = asked ? DIALOGS[asked.what] : null;
  return (
    <Stack gap="sm">
      {field}
      <Paged query={organizations} empty={settled ? "None has this in its name." : "There is none yet."}>
        {(items) => (
          <ul className="plain-list rows" aria-label="Organisations">
            {items.map((one) => (
              <Row key={one.id} of={one} onAsk={(what) => setAsked({ what, of: one })} />
            ))}
          </ul>
        )}
      </Paged>
      {asked && Asked ? <Asked of={asked.of} onClose={() => setAsked(null)} /> : null}
    </Stack>
  );
}

function Row({ of, onAsk }: { of: Item; onAsk: (what: What) => void }) {
  const resume = useAction({
    run: () =>
      data(
        api.POST("/api/admin/paas/organizations/{organization}/resume", { params: { path: { organization: of.id } } }),
      ),
    done: `${of.name} goes on.`,
    changes: [["admin"]],
  });
  return (
    <li>
      <div className="grow">
        <Group gap="xs">
          <Text fw={600} className="break">
            {of.name}
          </Text>
          {of.deleting_at ? <Status of="deleting" /> : of.suspended_at ? <Status of="suspended" /> : null}
        </Group>
        <Text size="sm" c="dimmed">
          {count(of.apps, "app")} ({of.running_apps} running), {count(of.members, "member")}, {hourly(of.cost_per_hour)}{" "}
          an hour, {money(of.cost_month)} this month, balance {cents(of.balance)}
        </Text>
      </div>
      <Group gap="xs">
        <Button size="xs" variant="default" onClick={() => onAsk("top up")} aria-label={`Top up ${of.name}`}>
          Top up
        </Button>
        {of.suspended_at ? (
          <Button
            size="xs"
            variant="default"
            loading={resume.isPending}
            onClick={() => resume.mutate()}
            aria-label={`Resume ${of.name}`}
          >
            Resume
          </Button>
        ) : (
          <Button size="xs" variant="default" onClick={() => onAsk("suspend")} aria-label={`Suspend ${of.name}`}>
            Suspend
          </Button>
        )}
        <Menu position="bottom-end">
          <Menu.Target>
            <Button size="xs" variant="default" px={8} aria-label={`More about ${of.name}`}>
              <IconDots size={16} />
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => onAsk("limit")}>Limits</Menu.Item>
            <Menu.Item color="red" onClick={() => onAsk("delete")}>
              Delete
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Group>
    </li>
  );
}

interface Asked {
  of: Item;
  onClose: () => void;
}

function Suspend({ of, onClose }: Asked) {
  const [reason, setReason] = useState("");
  const suspend = useAction({
    run: () =>
      data(
        api.POST("/api/admin/paas/organizations/{organization}/suspend", {
          params: { path: { organization: of.id } },
          body: { reason: reason.trim() || null },
        }),
      ),
    done: `${of.name} is suspended.`,
    changes: [["admin"]],
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title={`Suspend ${of.name}?`}
      onClose={onClose}
      onSubmit={() => suspend.mutate()}
      action="Suspend"
      danger
      pending={suspend.isPending}
      error={suspend.error}
    >
      <Text size="sm">All its apps stop, and nothing is deployed, until it is resumed.</Text>
      <TextField
        name="reason"
        label="Why"
        description="For the audit log."
        data-autofocus
        value={reason}
        onSet={setReason}
      />
    </Dialog>
  );
}

const LIMITS = [
  ["max_apps", "Most apps"],
  ["max_deployments_per_hour", "Most deployments an hour"],
  ["max_concurrent_builds", "Most builds at once"],
] as const;

function Limit({ of, onClose }: Asked) {
  const { draft, changed, set } = useDraft({
    allow_app_creation: of.allow_app_creation,
    max_apps: of.max_apps ?? null,
    max_deployments_per_hour: of.max_deployments_per_hour ?? null,
    max_concurrent_builds: of.max_concurrent_builds ?? null,
  });
  const limit = useAction({
    run: () =>
      data(
        api.PATCH("/api/admin/paas/organizations/{organization}", {
          params: { path: { organization: of.id } },
          body: changed,
        }),
      ),
    done: `The limits of ${of.name} are set.`,
    changes: [["admin"]],
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title={`Limits of ${of.name}`}
      onClose={onClose}
      onSubmit={() => limit.mutate()}
      action="Save"
      pending={limit.isPending}
      error={limit.error}
    >
      {LIMITS.map(([name, label]) => (
        <NumberField
          key={name}
          name={name}
          label={label}
          placeholder="As the platform's settings say"
          min={0}
          value={draft[name]}
          onSet={set(name)}
        />
      ))}
      <Switch
        label="Members may create apps"
        checked={draft.allow_app_creation}
        onChange={(event) => set("allow_app_creation")(event.currentTarget.checked)}
      />
    </Dialog>
  );
}

function Delete({ of, onClose }: Asked) {
  const [fate, setFate] = useState<Schemas["AppsFate"]>("reassign");
  const [heir, setHeir] = useState("");
  const [typed, setTyped] = useState("");
  const remove = useAction({
    run: () =>
      data(
        api.DELETE("/api/admin/paas/organizations/{organization}", {
          params: { path: { organization: of.id } },
          body: {
            confirm: typed.trim(),
            ...(of.apps > 0 ? { apps: fate, reassign_to: fate === "reassign" ? heir.trim() : null } : {}),
          },
        }),
      ),
    done: (answer: Schemas["DeletionAnswer"]) =>
      answer.deleted ? `${of.name} is deleted.` : `${of.name} goes with the last of its apps.`,
    changes: [["admin"]],
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title={`Delete ${of.name}?`}
      onClose={onClose}
      onSubmit={() => remove.mutate()}
      action="Delete it"
      danger
      disabled={typed.trim() !== of.name}
      pending={remove.isPending}
      error={remove.error}
    >
      <Text size="sm">Its members lose it at once. Ledger, usage and audit log stay.</Text>
      {of.apps > 0 ? (
        <>
          <Radio.Group
            label={`What becomes of its ${count(of.apps, "app")}`}
            value={fate}
            onChange={(value) => setFate(value as Schemas["AppsFate"])}
          >
            <Stack gap="xs" mt="xs">
              <Radio value="reassign" label="They go to another organisation, and run on" />
              <Radio value="delete" label="They are destroyed with all they have" />
            </Stack>
          </Radio.Group>
          {fate === "reassign" ? (
            <TextField name="reassign_to" label="Organisation that gets them" required value={heir} onSet={setHeir} />
          ) : null}
        </>
      ) : null}
      <TextField
        name="confirm"
        label={`Type ${of.name} to go on`}
        autoComplete="off"
        data-autofocus
        value={typed}
        onSet={setTyped}
      />
    </Dialog>
  );
}
