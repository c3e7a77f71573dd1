// The plans: made, changed, and removed where no app is on them.
import { Button, Group, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { adminPlansQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { cents, count, hourly, perMonth, ram, short } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";
import { LinesField, TextField } from "../../parts/fields";
import { Loaded } from "../../parts/loading";
import { NumberField } from "../../parts/number_field";
import { WideTable } from "../../parts/wide_table";
import { featureLines, featuresOf } from "../features";

type Plan = Schemas["AdminPlanItem"];

const PRICE = "[0-9]+(\\.[0-9]+)?";
const CHANGES = [["admin", "plans"], ["plans"]];

export function AdminPlans() {
  const plans = useQuery(adminPlansQuery);
  const [edited, setEdited] = useState<Plan | "new" | null>(null);
  const [removed, setRemoved] = useState<Plan | null>(null);
  return (
    <Stack gap="sm">
      <Group>
        <Button onClick={() => setEdited("new")}>New plan</Button>
      </Group>
      <Loaded query={plans}>
        {(plans) =>
          plans.length === 0 ? (
            <Text c="dimmed">There is no plan, so no app can be made. Make one.</Text>
          ) : (
            <WideTable label="Plans" verticalSpacing="sm">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Plan</Table.Th>
                  <Table.Th className="numeric wide">CPU</Table.Th>
                  <Table.Th className="numeric wide">Memory</Table.Th>
                  <Table.Th className="numeric wide">Disk</Table.Th>
                  <Table.Th className="numeric wide">Replicas</Table.Th>
                  <Table.Th className="numeric">Cost an hour</Table.Th>
                  <Table.Th className="numeric wide">Cost a month</Table.Th>
                  <Table.Th className="numeric">Apps</Table.Th>
                  <Table.Th>
                    <span className="visually-hidden">Change</span>
                  </Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {plans.map((one) => (
                  <Table.Tr key={one.id}>
                    <Table.Td fw={600}>{one.name}</Table.Td>
                    <Table.Td className="numeric wide">{one.cpu_cores}</Table.Td>
                    <Table.Td className="numeric wide">{ram(one.ram_mb)}</Table.Td>
                    <Table.Td className="numeric wide">{one.disk_gb} GB</Table.Td>
                    <Table.Td className="numeric wide">up to {one.max_replicas}</Table.Td>
                    <Table.Td className="numeric">{hourly(one.price_per_hour)}</Table.Td>
                    <Table.Td className="numeric wide">{cents(one.price_per_month)}</Table.Td>
                    <Table.Td className="numeric">{one.apps}</Table.Td>
                    <Table.Td>
                      <Group gap="xs" justify="flex-end">
                        <Button
                          size="xs"
                          variant="default"
                          aria-label={`Edit the plan ${one.name}`}
                          onClick={() => setEdited(one)}
                        >
                          Edit
                        </Button>
                        <Button
                          size="xs"
                          variant="default"
                          disabled={one.apps > 0 || plans.length === 1}
                          title={one.apps > 0 ? "Apps are on it" : undefined}
                          aria-label={`Remove the plan ${one.name}`}
                          onClick={() => setRemoved(one)}
                        >
                          Remove
                        </Button>
                      </Group>
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </WideTable>
          )
        }
      </Loaded>
      {edited ? (
        <Edit
          of={edited === "new" ? null : edited}
          last={Math.max(-1, ...(plans.data ?? []).map((one) => one.position)) + 1}
          onClose={() => setEdited(null)}
        />
      ) : null}
      {removed ? <Remove of={removed} onClose={() => setRemoved(null)} /> : null}
    </Stack>
  );
}

const NUMBERS = [
  ["ram_mb", "Memory in MB", 512],
  ["disk_gb", "Disk in GB", 10],
  ["max_replicas", "Most replicas of a process type", 1],
  ["position", "Place in lists", 0],
] as const;

/** `last` is the place behind all others, where a new one goes. */
function Edit({ of, last, onClose }: { of: Plan | null; last: number; onClose: () => void }) {
  const [name, setName] = useState(of?.name ?? "");
  const [cores, setCores] = useState(of?.cpu_cores ?? "0.5");
  const [price, setPrice] = useState(short(of?.price_per_hour));
  const [features, setFeatures] = useState(featureLines(of?.features ?? {}));
  const [numbers, setNumbers] = useState<Record<(typeof NUMBERS)[number][0], number>>({
    ram_mb: of?.ram_mb ?? 512,
    disk_gb: of?.disk_gb ?? 10,
    max_replicas: of?.max_replicas ?? 1,
    position: of?.position ?? last,
  });
  const save = useAction({
    run: () => {
      const body = {
        name: name.trim(),
        cpu_cores: cores.trim(),
        price_per_hour: price.trim(),
        features: featuresOf(features),
        ...numbers,
      };
      return of
        ? data(api.PUT("/api/admin/paas/plans/{plan}", { params: { path: { plan: of.id } }, body }))
        : data(api.POST("/api/admin/paas/plans", { body }));
    },
    done: (plan: Schemas["PlanItem"]) => (of ? `${plan.name} is changed.` : `${plan.name} can be chosen now.`),
    changes: CHANGES,
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title={of ? `Edit the plan ${of.name}` : "New plan"}
      onClose={onClose}
      onSubmit={() => save.mutate()}
      action={of ? "Save" : "Make it"}
      pending={save.isPending}
      error={save.error}
      size="lg"
    >
      <TextField name="name" label="Name" required maxLength={40} data-autofocus value={name} onSet={setName} />
      <div className="cards">
        <TextField
          name="cpu_cores"
          label="CPU cores"
          required
          inputMode="decimal"
          pattern="[0-9]+(\.[0-9]{1,2})?"
          value={cores}
          onSet={setCores}
        />
        <TextField
          name="price_per_hour"
          label="Price of a replica an hour"
          description={new RegExp(`^${PRICE}$`).test(price) ? `${perMonth(price)} a month` : "In dollars."}
          required
          inputMode="decimal"
          pattern={PRICE}
          value={price}
          onSet={setPrice}
        />
        {NUMBERS.map(([field, label, usual]) => (
          <NumberField
            key={field}
            name={field}
            label={label}
            required
            min={field === "position" ? 0 : 1}
            value={numbers[field]}
            onSet={(value) => setNumbers((before) => ({ ...before, [field]: value ?? usual }))}
          />
        ))}
      </div>
      <LinesField
        name="features"
        label="Features"
        description="One a line, as name: value, such as support: e-mail. A name alone means yes."
        rows={4}
        classNames={{ input: "mono" }}
        value={features}
        onSet={setFeatures}
      />
      {of && of.apps > 0 ? (
        <Text size="sm" c="dimmed">
          {count(of.apps, "app")} on it keep{of.apps === 1 ? "s" : ""} the price from when it was chosen. New limits
          take effect with the next rollout.
        </Text>
      ) : null}
    </Dialog>
  );
}

function Remove({ of, onClose }: { of: Plan; onClose: () => void }) {
  const remove = useAction({
    run: () => data(api.DELETE("/api/admin/paas/plans/{plan}", { params: { path: { plan: of.id } } })),
    done: `${of.name} can no longer be chosen.`,
    changes: CHANGES,
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title={`Remove the plan ${of.name}?`}
      onClose={onClose}
      onSubmit={() => remove.mutate()}
      action="Remove"
      danger
      pending={remove.isPending}
      error={remove.error}
    >
      <Text size="sm">No app is on it. Past usage and invoices keep it.</Text>
    </Dialog>
  );
}
