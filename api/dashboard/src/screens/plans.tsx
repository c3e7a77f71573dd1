// The plans side by side; the one that is chosen goes along into the form for a new app.
import { Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "../api/client";
import { plansQuery } from "../api/queries";
import { cents, hourly, ram } from "../parts/amounts";
import { ButtonTo } from "../parts/link";
import { Loaded } from "../parts/loading";
import { Head } from "../parts/page";
import { useMayCreate } from "../parts/roles";
import { WideTable } from "../parts/wide_table";
import { featureName, featureWords } from "./features";

type Plan = Schemas["PlanItem"];

const ROWS: [name: string, value: (plan: Plan) => string][] = [
  ["Cost an hour", (plan) => hourly(plan.price_per_hour)],
  ["Cost a month", (plan) => cents(plan.price_per_month)],
  ["CPU", (plan) => `${plan.cpu_cores} ${Number(plan.cpu_cores) === 1 ? "core" : "cores"}`],
  ["Memory", (plan) => ram(plan.ram_mb)],
  ["Disk", (plan) => `${plan.disk_gb} GB`],
  ["Replicas", (plan) => `up to ${plan.max_replicas}`],
];

export function Plans() {
  const plans = useQuery(plansQuery);
  const mayCreate = useMayCreate();
  return (
    <Stack gap="lg">
      <Head title="Plans" />
      <Text c="dimmed">
        A plan says what each replica of an app has and costs. It is paid by the second that a replica runs, and can be
        changed at any time.
      </Text>
      <Loaded query={plans}>
        {(plans) =>
          plans.length === 0 ? (
            <Text c="dimmed">There is no plan yet. An admin of the platform makes them.</Text>
          ) : (
            <Comparison plans={plans} mayCreate={mayCreate} />
          )
        }
      </Loaded>
    </Stack>
  );
}

function Comparison({ plans, mayCreate }: { plans: Plan[]; mayCreate: boolean }) {
  const features = [...new Set(plans.flatMap((plan) => Object.keys(plan.features)))];
  const rows = [
    ...ROWS,
    ...features.map((name): (typeof ROWS)[number] => [featureName(name), (plan) => featureWords(plan.features[name])]),
  ];
  return (
    <WideTable label="Comparison of the plans" className="comparison" verticalSpacing="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Td />
          {plans.map((plan) => (
            <Table.Th key={plan.id} scope="col">
              {plan.name}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row">{name}</Table.Th>
            {plans.map((plan) => (
              <Table.Td key={plan.id}>{value(plan)}</Table.Td>
            ))}
          </Table.Tr>
        ))}
        {mayCreate ? (
          <Table.Tr>
            <Table.Td />
            {plans.map((plan) => (
              <Table.Td key={plan.id}>
                <ButtonTo
                  to="/new"
                  search={{ plan: plan.name }}
                  size="xs"
                  variant="default"
                  aria-label={`New app on ${plan.name}`}
                >
                  New app
                </ButtonTo>
              </Table.Td>
            ))}
          </Table.Tr>
        ) : null}
      </Table.Tbody>
    </WideTable>
  );
}
