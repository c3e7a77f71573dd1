// What an organisation used and paid: the wallet and where it is going, when people are warned of it, usage by app or day,
// invoices, and the ledger.
import { Alert, Anchor, Group, NativeSelect, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { invoicesQuery, organizationsQuery, type UsageGroup, usageQuery, walletQuery } from "../api/queries";
import { cents, hourly, money } from "../parts/amounts";
import { Fact } from "../parts/fact";
import { Loaded } from "../parts/loading";
import { Head } from "../parts/page";
import { WideTable } from "../parts/wide_table";
import { useChosenOrganization } from "./chosen_organization";
import { Ledger } from "./ledger";
import { months } from "./months";
import { WalletAlerts } from "./wallet_alerts";
import { lasts } from "./wallet_words";

export function Usage() {
  const organizations = useQuery(organizationsQuery);
  const [chosen, setChosen] = useChosenOrganization();
  return (
    <Stack gap="lg">
      <Head title="Usage and billing" />
      <Loaded query={organizations}>
        {(list) => {
          const organization = list.find((one) => one.name === chosen) ?? list[0];
          if (!organization) return <Text c="dimmed">You are in no organisation, so nothing costs you anything.</Text>;
          return (
            <>
              {list.length > 1 ? (
                <NativeSelect
                  label="Organisation"
                  maw={320}
                  data={list.map((one) => one.name)}
                  value={organization.name}
                  onChange={(event) => setChosen(event.currentTarget.value)}
                />
              ) : null}
              <Wallet of={organization.id} />
              <WalletAlerts key={organization.id} organization={organization} />
              <Used of={organization.id} />
              <Invoices of={organization.id} />
              <Movements of={organization.id} />
            </>
          );
        }}
      </Loaded>
    </Stack>
  );
}

function Wallet({ of }: { of: string }) {
  const wallet = useQuery(walletQuery(of));
  return (
    <Loaded query={wallet} lines={2}>
      {(wallet) => (
        <Stack>
          {wallet.warning ? <Alert color="yellow">{wallet.warning}</Alert> : null}
          {wallet.billing_enabled ? null : (
            <Text size="sm" c="dimmed">
              Billing is off: usage is counted, and nothing is charged.
            </Text>
          )}
          <dl className="cards plain-list">
            <Fact title="Balance" value={cents(wallet.balance)} more={lasts(wallet)} />
            <Fact title="This month so far" value={money(wallet.month_to_date)} more={wallet.month} />
            <Fact title="Forecast" value={money(wallet.forecast)} more="if everything goes on as it is" />
            <Fact title="Now" value={`${hourly(wallet.cost_per_hour)} an hour`} more="for all that runs" />
          </dl>
        </Stack>
      )}
    </Loaded>
  );
}

function Used({ of }: { of: string }) {
  const [all] = useState(() => months(new Date()));
  const [month, setMonth] = useState(all[0] ?? "");
  const [group, setGroup] = useState<UsageGroup>("app");
  const usage = useQuery(usageQuery(of, month, group));
  const csv = `/api/paas/usage.csv?${new URLSearchParams({ organization: of, month })}`;
  return (
    <section aria-labelledby="usage">
      <div className="title-row">
        <Title order={2} size="h4" id="usage">
          Usage
        </Title>
        <Group gap="sm">
          <NativeSelect
            aria-label="Month"
            data={all}
            value={month}
            onChange={(event) => setMonth(event.currentTarget.value)}
          />
          <NativeSelect
            aria-label="Added up by"
            data={[
              { value: "app", label: "by app" },
              { value: "day", label: "by day" },
              { value: "plan", label: "by plan" },
              { value: "process", label: "by process" },
            ]}
            value={group}
            onChange={(event) => setGroup(event.currentTarget.value as UsageGroup)}
          />
          <Anchor href={csv} download>
            CSV
          </Anchor>
        </Group>
      </div>
      <Loaded query={usage}>
        {(usage) =>
          usage.items.length === 0 ? (
            <Text c="dimmed" mt="sm">
              Nothing was used in {month}.
            </Text>
          ) : (
            <WideTable label={`Usage of ${month}`} className="spaced">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{{ app: "App", day: "Day", plan: "Plan", process: "Process" }[group]}</Table.Th>
                  <Table.Th className="numeric">Replica hours</Table.Th>
                  <Table.Th className="numeric">Cost</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {usage.items.map((one) => (
                  <Table.Tr key={[one.app_id, one.app, one.day, one.plan, one.process].join(" ")}>
                    <Table.Td className="break">
                      {one.day ?? one.process ?? one.plan ?? one.app ?? "an app that is gone"}
                    </Table.Td>
                    <Table.Td className="numeric">
                      {one.replica_hours ? Number(one.replica_hours).toFixed(2) : "–"}
                    </Table.Td>
                    <Table.Td className="numeric">{money(one.cost)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
              <Table.Tfoot>
                <Table.Tr>
                  <Table.Th>Total</Table.Th>
                  <Table.Td />
                  <Table.Th className="numeric">{money(usage.cost)}</Table.Th>
                </Table.Tr>
              </Table.Tfoot>
            </WideTable>
          )
        }
      </Loaded>
    </section>
  );
}

function Invoices({ of }: { of: string }) {
  const invoices = useQuery(invoicesQuery(of));
  return (
    <section aria-labelledby="invoices">
      <Title order={2} size="h4" id="invoices" mb="sm">
        Invoices
      </Title>
      <Loaded query={invoices} lines={1}>
        {(invoices) =>
          invoices.length === 0 ? (
            <Text c="dimmed">Nothing has been charged yet.</Text>
          ) : (
            <ul className="plain-list rows">
              {invoices.map((one) => (
                <li key={one.month}>
                  <Anchor
                    className="grow"
                    href={`/api/organizations/${of}/invoices/${one.month}`}
                    target="_blank"
                    rel="noreferrer"
                  >
                    {one.month}
                  </Anchor>
                  <span className="numeric">{cents(one.total)}</span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </section>
  );
}

function Movements({ of }: { of: string }) {
  return (
    <section aria-labelledby="ledger">
      <Title order={2} size="h4" id="ledger" mb="sm">
        Ledger
      </Title>
      <Ledger of={of} />
    </section>
  );
}
