// The platform's money: what is in the wallets, what the month came to, each organisation's part, and the settlement.
import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { adminBillingQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { cents, count, hourly, money } from "../../parts/amounts";
import { Fact } from "../../parts/fact";
import { Failed, Waiting } from "../../parts/loading";
import { type Column, LongTable } from "../../parts/long_table";
import { ShowMore } from "../../parts/paged";
import { Ago } from "../../parts/time";
import { Ledger } from "../ledger";
import { MoveMoney } from "./move_money";

type Organization = Schemas["BillingAnswer"]["organizations"]["items"][number];
type Asked = { what: "ledger" | "move"; of: { id: string; name: string } };

export function AdminBilling() {
  const billing = useInfiniteQuery(adminBillingQuery);
  const [asked, setAsked] = useState<Asked | null>(null);
  const shown = useMemo(() => columns(setAsked), []);
  if (!billing.data) {
    return billing.isError ? <Failed error={billing.error} retry={() => void billing.refetch()} /> : <Waiting />;
  }
  const [totals] = billing.data.pages;
  const organizations = billing.data.pages.flatMap((page) => page.organizations.items);
  return (
    <Stack gap="lg">
      {totals ? <Totals of={totals} /> : null}
      {organizations.length === 0 ? (
        <Text c="dimmed">There is no organisation yet, and so no wallet.</Text>
      ) : (
        <LongTable label="Wallets" columns={shown} rows={organizations} rowKey={(one) => one.id} />
      )}
      <ShowMore query={billing} shown={organizations.length} />
      {asked?.what === "move" ? <MoveMoney of={asked.of} onClose={() => setAsked(null)} /> : null}
      <Modal
        opened={asked?.what === "ledger"}
        onClose={() => setAsked(null)}
        title={`Ledger of ${asked?.of.name ?? ""}`}
        size="xl"
      >
        {asked?.what === "ledger" ? <Ledger of={asked.of.id} /> : null}
      </Modal>
    </Stack>
  );
}

function Totals({ of }: { of: Schemas["BillingAnswer"] }) {
  const settle = useAction({
    run: () => data(api.POST("/api/admin/paas/billing/settle")),
    done: (answer: Schemas["SettleAnswer"]) =>
      `Settled ${count(answer.app_hours, "hour")} of apps, ${money(answer.charged)} of it charged; ${answer.suspended} suspended, ${answer.resumed} resumed.`,
    changes: [["admin"], ["organizations"]],
  });
  return (
    <Stack gap="sm">
      <dl className="cards plain-list">
        <Fact title="In all wallets" value={cents(of.balance)} />
        <Fact title="Used this month" value={money(of.month_cost)} more={`${of.month}, as far as settled`} />
        <Fact title="Charged this month" value={money(of.month_charged)} more={of.month} />
        <Fact title="Now" value={`${hourly(of.cost_per_hour)} an hour`} more="for all that runs" />
      </dl>
      <Group gap="sm">
        <Button variant="default" loading={settle.isPending} onClick={() => settle.mutate()}>
          Settle now
        </Button>
        <Text size="sm" c="dimmed">
          {of.enabled_since ? (
            <>
              Billing was switched on <Ago at={of.enabled_since} />.{" "}
            </>
          ) : (
            "Billing is off: usage is counted, and nothing is charged. The setting billing.enabled switches it on. "
          )}
          {of.settled_until ? (
            <>
              Settled up to <Ago at={of.settled_until} />.
            </>
          ) : (
            "There is nothing to settle."
          )}
        </Text>
      </Group>
    </Stack>
  );
}

const columns = (ask: (asked: Asked) => void): Column<Organization>[] => [
  { head: "Organisation", className: "break", cell: (one) => <strong>{one.name}</strong> },
  { head: "Balance", className: "numeric", cell: (one) => cents(one.balance) },
  { head: "Cost an hour", className: "numeric wide", cell: (one) => hourly(one.cost_per_hour) },
  { head: "This month", className: "numeric wide", cell: (one) => money(one.month_cost) },
  { head: "Suspended apps", className: "numeric wide", cell: (one) => one.suspended_apps },
  { head: "Charged", className: "numeric wide", cell: (one) => money(one.month_charged) },
  {
    head: "Wallet",
    className: "numeric",
    cell: (one) => {
      const of = { id: one.id, name: one.name };
      return (
        <Group gap="xs" justify="flex-end">
          <Button
            size="xs"
            variant="default"
            aria-label={`Ledger of ${of.name}`}
            onClick={() => ask({ what: "ledger", of })}
          >
            Ledger
          </Button>
          <Button
            size="xs"
            variant="default"
            aria-label={`Top up ${of.name}`}
            onClick={() => ask({ what: "move", of })}
          >
            Top up
          </Button>
        </Group>
      );
    },
  },
];
