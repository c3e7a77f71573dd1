// How many replicas of each process type run, and on which plan; with what that costs before anything is changed.
import { Button, Group, NativeSelect, Slider, Stack, Text, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, plansQuery, walletQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count, hourly, perMonth, ram } from "../../parts/amounts";
import { type Draft, type Save, useDraft } from "../../parts/draft";
import { Loaded, Refused } from "../../parts/loading";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { useNow } from "../../parts/time";
import { Unsaved } from "../../parts/unsaved";
import { runsOut } from "../wallet_words";

const route = getRouteApi("/shell/apps/$app");
/** By process type. */
type Replicas = Record<string, number>;
/** How long somebody may slide before the cost is asked for. */
const SETTLED_MS = 250;

export function Scale() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug));
  const plans = useQuery(plansQuery);
  return (
    <Loaded query={app}>
      {(app) => <Loaded query={plans}>{(plans) => <Sliders app={app} plans={plans} />}</Loaded>}
    </Loaded>
  );
}

function Sliders({ app, plans }: { app: Schemas["AppAnswer"]; plans: Schemas["PlanItem"][] }) {
  const may = useMay(app.organization_id);
  const plan = plans.find((one) => one.id === app.plan_id);
  const types = [...new Set([...Object.keys(app.processes), ...Object.keys(app.formation)])].sort(webFirst);
  const now = Object.fromEntries(types.map((type) => [type, app.formation[type] ?? 0]));
  const wanted = useDraft(now);
  const scale = useAction({
    run: (processes: Partial<Replicas>) =>
      data(
        api.POST("/api/paas/apps/{app}/scale", {
          params: { path: { app: app.slug } },
          body: { processes: processes as Replicas },
        }),
      ),
    done: "The app is being scaled.",
    changes: [["app", app.slug], ["apps"]],
    quiet: true,
  });
  return (
    <Stack gap="xl" maw={720}>
      {may.change ? null : <Text c="dimmed">{LOOK_ONLY}</Text>}
      <section aria-labelledby="replicas">
        <Title order={2} size="h4" id="replicas" mb="sm">
          Replicas
        </Title>
        {types.length === 0 ? (
          <Text c="dimmed">The app has no release yet, so its process types are not known. Push it first.</Text>
        ) : (
          <Stack gap="lg">
            {types.map((type) => (
              <div key={type} className="card">
                <Group justify="space-between" mb="xs">
                  <Text fw={600} className="mono">
                    {type}
                  </Text>
                  <Text className="numeric" data-replicas={type}>
                    {wanted.draft[type]}
                    {type in wanted.changed ? ` (now ${now[type]})` : ""}
                  </Text>
                </Group>
                <Text size="sm" c="dimmed" className="mono break" mb="sm">
                  {app.processes[type]}
                </Text>
                <Slider
                  min={0}
                  max={plan?.max_replicas ?? 1}
                  value={wanted.draft[type] ?? 0}
                  disabled={!may.change}
                  thumbLabel={`Replicas of ${type}`}
                  onChange={wanted.set(type)}
                />
              </div>
            ))}
            <Unsaved changes={wanted.unsaved(scale)} />
            {Object.keys(wanted.changed).length > 0 ? (
              <Apply app={app} of={wanted} scale={scale} />
            ) : (
              <Text size="sm" c="dimmed">
                {hourly(app.cost_per_hour)} an hour now. The plan {app.plan} allows up to {plan?.max_replicas ?? 1} of
                each.
              </Text>
            )}
          </Stack>
        )}
      </section>
      <PlanChoice app={app} plans={plans} may={may.change} />
    </Stack>
  );
}

function webFirst(one: string, other: string): number {
  return Number(other === "web") - Number(one === "web") || one.localeCompare(other);
}

interface ApplyProps {
  app: Schemas["AppAnswer"];
  of: Draft<Replicas>;
  scale: Save<Replicas>;
}

function Apply({ app, of, scale }: ApplyProps) {
  const [settled] = useDebouncedValue(of.changed as Replicas, SETTLED_MS);
  const path = { app: app.slug };
  const preview = useQuery({
    queryKey: ["app", app.slug, "scale", settled],
    queryFn: ({ signal }) =>
      data(
        api.POST("/api/paas/apps/{app}/scale", {
          params: { path, query: { dry_run: true } },
          body: { processes: settled },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
  return (
    <div className="save-bar">
      <Refused error={scale.error ?? preview.error} />
      <Group justify="space-between">
        <Cost of={preview.data} organization={app.organization_id} />
        <Group gap="xs">
          <Button variant="default" onClick={of.discard}>
            Leave it
          </Button>
          <Button loading={scale.isPending} disabled={preview.isError} onClick={() => of.send(scale)}>
            Scale
          </Button>
        </Group>
      </Group>
    </div>
  );
}

function Cost({ of, organization }: { of: Schemas["PricedChange"] | undefined; organization: string }) {
  const wallet = useQuery(walletQuery(organization)).data;
  const now = useNow();
  if (!of) return <Text size="sm">The cost is being worked out …</Text>;
  // All that runs in the organisation, with this change.
  const more = Number(of.cost_per_hour_after) - Number(of.cost_per_hour_before);
  const end = wallet ? runsOut(wallet, Number(wallet.cost_per_hour) + more, now) : null;
  return (
    <div aria-live="polite">
      <Text size="sm" data-cost>
        {hourly(of.cost_per_hour_before)} → <strong>{hourly(of.cost_per_hour_after)} an hour</strong>,{" "}
        {perMonth(of.cost_per_hour_after)} a month
      </Text>
      {end ? (
        <Text size="sm" c="dimmed" data-runs-out>
          With it the wallet runs out {end}.
        </Text>
      ) : null}
    </div>
  );
}

function PlanChoice({ app, plans, may }: { app: Schemas["AppAnswer"]; plans: Schemas["PlanItem"][]; may: boolean }) {
  const { draft, changed, set, send, unsaved } = useDraft({ plan: app.plan_id });
  const path = { app: app.slug };
  const preview = useQuery({
    queryKey: ["app", app.slug, "plan", draft.plan],
    queryFn: ({ signal }) =>
      data(
        api.POST("/api/paas/apps/{app}/plan", {
          params: { path, query: { dry_run: true } },
          body: draft,
          signal,
        }),
      ),
    enabled: changed.plan !== undefined,
  });
  const change = useAction({
    run: ({ plan = app.plan_id }: { plan?: string }) =>
      data(api.POST("/api/paas/apps/{app}/plan", { params: { path }, body: { plan } })),
    done: "The app changes its plan, without a gap.",
    changes: [["app", app.slug], ["apps"]],
    quiet: true,
  });
  return (
    <section aria-labelledby="plan">
      <Title order={2} size="h4" id="plan" mb="sm">
        Plan
      </Title>
      <Stack gap="sm">
        <NativeSelect
          aria-labelledby="plan"
          data={plans.map((one) => ({
            value: one.id,
            label: `${one.name}: ${one.cpu_cores} CPU, ${ram(one.ram_mb)}, up to ${count(one.max_replicas, "replica")}, ${hourly(one.price_per_hour)} an hour`,
          }))}
          disabled={!may}
          value={draft.plan}
          onChange={(event) => set("plan")(event.currentTarget.value)}
        />
        {changed.plan ? (
          <div className="save-bar">
            <Unsaved changes={unsaved(change)} />
            <Refused error={change.error ?? preview.error} />
            <Group justify="space-between">
              <Cost of={preview.data} organization={app.organization_id} />
              <Button loading={change.isPending} disabled={!preview.data} onClick={() => send(change)}>
                Change the plan
              </Button>
            </Group>
          </div>
        ) : null}
      </Stack>
    </section>
  );
}
