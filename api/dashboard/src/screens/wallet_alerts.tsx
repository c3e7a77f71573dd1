// When people are warned of what an organisation spends, how far the month is along its budget, and the form in which its
// owners set both.
import { Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data, type Schemas } from "../api/client";
import { walletQuery } from "../api/queries";
import { useAction } from "../parts/action";
import { cents, money, short } from "../parts/amounts";
import { useDraft } from "../parts/draft";
import { TextField } from "../parts/fields";
import { Form } from "../parts/form";
import { LinkTo } from "../parts/link";
import { Loaded } from "../parts/loading";
import { useMay } from "../parts/roles";
import { Unsaved } from "../parts/unsaved";
import { budgetUsed, warnedBelow, warnedOfBudget } from "./wallet_words";

type Wallet = Schemas["WalletAnswer"];

export function WalletAlerts({ organization }: { organization: Schemas["OrganizationItem"] }) {
  const of = organization.id;
  const wallet = useQuery(walletQuery(of));
  const may = useMay(of);
  return (
    <section aria-labelledby="wallet-alerts">
      <div className="title-row">
        <Title order={2} size="h4" id="wallet-alerts">
          Alerts
        </Title>
        <LinkTo to="/organizations" search={{ organization: organization.name }}>
          Who is told
        </LinkTo>
      </div>
      <Loaded query={wallet} lines={2}>
        {(wallet) => (
          <Stack gap="sm" mt="sm">
            <Text size="sm">{warnedBelow(wallet.alerts)}</Text>
            <Budget of={wallet} />
            {may.own ? (
              <Thresholds of={of} alerts={wallet.alerts} />
            ) : (
              <Text size="sm" c="dimmed">
                Owners of the organisation set when people are warned.
              </Text>
            )}
          </Stack>
        )}
      </Loaded>
    </section>
  );
}

function Budget({ of }: { of: Wallet }) {
  const { month_budget: budget } = of.alerts;
  if (!budget) return <Text size="sm">There is no budget for a month.</Text>;
  const percent = budgetUsed(of);
  return (
    <div data-budget={percent}>
      <Text size="sm" id="budget-used">
        {money(of.month_charged)} of the budget of {cents(budget)} were charged in {of.month}: {percent} %.
      </Text>
      <progress className="budget" aria-labelledby="budget-used" max={100} value={Math.min(percent, 100)} />
      <Text size="sm" c="dimmed">
        {warnedOfBudget(of)}
      </Text>
    </div>
  );
}

function Thresholds({ of, alerts }: { of: string; alerts: Schemas["WalletAlerts"] }) {
  const { low_balance_hours: own, platform_low_balance_hours: platform, last_warning_hours: last } = alerts;
  const { draft, set, send, unsaved } = useDraft({ hours: own?.toString() ?? "", budget: short(alerts.month_budget) });
  const save = useAction({
    run: (changed: Partial<typeof draft>) =>
      data(
        api.PATCH("/api/organizations/{organization}/wallet", {
          params: { path: { organization: of } },
          body: {
            ...(changed.hours === undefined ? {} : { low_balance_hours: changed.hours ? Number(changed.hours) : null }),
            ...(changed.budget === undefined ? {} : { month_budget: changed.budget || null }),
          },
        }),
      ),
    done: "People are warned by these from now on.",
    changes: [["organizations", of, "wallet"]],
    quiet: true,
  });
  return (
    <Form
      label="When people are warned"
      onSubmit={() => send(save)}
      action="Save"
      main={false}
      pending={save.isPending}
      error={save.error}
    >
      <Unsaved changes={unsaved(save)} />
      <Group gap="md" align="start">
        <TextField
          className="grow"
          name="low_balance_hours"
          label="Hours that the balance must last for"
          description={`Left empty: as the platform says, ${platform}. With 0 only the last warning, below ${last}.`}
          inputMode="numeric"
          pattern="[0-9]{1,4}"
          disabled={platform === 0}
          value={draft.hours}
          onSet={set("hours")}
        />
        <TextField
          className="grow"
          name="month_budget"
          label="Budget of a month in dollars"
          description="Left empty: none. It only warns: no app is stopped for it, and nothing is refused."
          inputMode="decimal"
          pattern="[0-9]+(\.[0-9]+)?"
          value={draft.budget}
          onSet={set("budget")}
        />
      </Group>
    </Form>
  );
}
