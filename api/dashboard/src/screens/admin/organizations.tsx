// All organisations, with what they have and cost; suspended and resumed, and their wallets topped up.
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { adminOrganizationsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count, money } from "../../parts/amounts";
import { Loaded, Refused } from "../../parts/loading";
import { Status } from "../../parts/status";
import { More, useSearch } from "./search";

type Item = Schemas["AdminOrganizationItem"];

export function AdminOrganizations() {
  const { settled, field } = useSearch("Search organisations");
  const organizations = useQuery({ ...adminOrganizationsQuery(settled), placeholderData: keepPreviousData });
  const [asked, setAsked] = useState<{ what: "suspend" | "top up"; of: Item } | null>(null);
  return (
    <Stack gap="sm">
      {field}
      <Loaded query={organizations}>
        {({ items, next_cursor }) =>
          items.length === 0 ? (
            <Text c="dimmed">There is none.</Text>
          ) : (
            <>
              <ul className="plain-list rows" aria-label="Organisations">
                {items.map((one) => (
                  <Row key={one.id} of={one} onAsk={(what) => setAsked({ what, of: one })} />
                ))}
              </ul>
              <More than={items.length} cursor={next_cursor} />
            </>
          )
        }
      </Loaded>
      {asked?.what === "suspend" ? <Suspend of={asked.of} onClose={() => setAsked(null)} /> : null}
      {asked?.what === "top up" ? <TopUp of={asked.of} onClose={() => setAsked(null)} /> : null}
    </Stack>
  );
}

function Row({ of, onAsk }: { of: Item; onAsk: (what: "suspend" | "top up") => void }) {
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
          {of.suspended_at ? <Status of="suspended" /> : null}
        </Group>
        <Text size="sm" c="dimmed">
          {count(of.apps, "app")} ({of.running_apps} running), {count(of.members, "member")}, {money(of.cost_per_hour)}{" "}
          an hour, {money(of.cost_month)} this month, balance {money(of.balance, 2)}
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
      </Group>
    </li>
  );
}

function Suspend({ of, onClose }: { of: Item; onClose: () => void }) {
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
  const submit = (event: FormEvent) => {
    event.preventDefault();
    suspend.mutate();
  };
  return (
    <Modal opened onClose={onClose} title={`Suspend ${of.name}?`}>
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">All its apps stop, and nothing is deployed, until it is resumed.</Text>
          <TextInput
            label="Why"
            description="For the audit log."
            data-autofocus
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
          <Refused error={suspend.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" color="red" loading={suspend.isPending}>
              Suspend
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function TopUp({ of, onClose }: { of: Item; onClose: () => void }) {
  const [amount, setAmount] = useState("");
  const [reference, setReference] = useState("");
  const [note, setNote] = useState("");
  const topUp = useAction({
    run: () =>
      data(
        api.POST("/api/admin/paas/organizations/{organization}/ledger", {
          params: { path: { organization: of.id } },
          body: { kind: "top_up", amount: amount.trim(), reference: reference.trim(), note: note.trim() || null },
        }),
      ),
    done: (answer: Schemas["MovementAnswer"]) => `The balance is ${money(answer.entry.balance_after, 2)} now.`,
    changes: [["admin"]],
    onDone: onClose,
    quiet: true,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    topUp.mutate();
  };
  return (
    <Modal opened onClose={onClose} title={`Top up ${of.name}`}>
      <form onSubmit={submit}>
        <Stack>
          <TextInput
            label="Amount in dollars"
            required
            inputMode="decimal"
            pattern="[0-9]+(\.[0-9]+)?"
            data-autofocus
            value={amount}
            onChange={(event) => setAmount(event.currentTarget.value)}
          />
          <TextInput
            label="Reference of the payment"
            description="One reference is credited once only, so that nothing is credited twice."
            required
            value={reference}
            onChange={(event) => setReference(event.currentTarget.value)}
          />
          <TextInput label="Note" value={note} onChange={(event) => setNote(event.currentTarget.value)} />
          <Refused error={topUp.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" loading={topUp.isPending}>
              Top up
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
