// What an app is built from and how, how its health is checked, where its log goes, what it is called, and its end.
import { Button, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, repositoryQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Dialog } from "../../parts/dialog";
import { useDraft } from "../../parts/draft";
import { TextField } from "../../parts/fields";
import { useGoOn } from "../../parts/go_on";
import { Loaded } from "../../parts/loading";
import { useMay } from "../../parts/roles";
import { Drains } from "./drains";
import { Git } from "./git";
import { HealthCheck } from "./health_check";
import { SettingsForm } from "./settings_form";
import { Transfer } from "./transfer";
import { Webhooks } from "./webhooks";

const route = getRouteApi("/shell/apps/$app");

export function Settings() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug));
  const repository = useQuery(repositoryQuery(slug));
  const may = useMay(app.data?.organization_id);
  return (
    <Loaded query={app}>
      {(app) => (
        <Stack gap="xl" maw={720}>
          <Loaded query={repository}>{(repository) => <Git app={app} repository={repository} />}</Loaded>
          <Webhooks slug={slug} may={may.change} />
          <Build app={app} />
          <HealthCheck app={app} />
          <Drains slug={slug} may={may.change} />
          <Names app={app} />
          <Transfer app={app} />
          <Destroy app={app} />
        </Stack>
      )}
    </Loaded>
  );
}

function Build({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const of = useDraft({ buildpack: app.buildpack ?? "" });
  const path = { app: app.slug };
  const save = useAction({
    run: (changed: typeof of.changed) => data(api.PATCH("/api/paas/apps/{app}", { params: { path }, body: changed })),
    done: "Saved. It takes effect with the next build.",
    changes: [["app", app.slug]],
    quiet: true,
  });
  const purge = useAction({
    run: () => data(api.DELETE("/api/paas/apps/{app}/cache", { params: { path } })),
    done: "The build cache is being thrown away. The next build starts from nothing.",
  });
  return (
    <SettingsForm
      id="build"
      title="Build"
      may={may.change}
      of={of}
      save={save}
      more={
        <Button
          variant="default"
          loading={purge.isPending}
          title="Without it the next build starts from nothing. What runs is not touched."
          onClick={() => purge.mutate()}
        >
          Purge the cache
        </Button>
      }
    >
      <TextField
        name="buildpack"
        label="Buildpack"
        description="A name such as nodejs, or a Git URL with an optional #branch. Left empty: the first that fits the code."
        placeholder="found automatically"
        disabled={!may.change}
        value={of.draft.buildpack}
        onSet={of.set("buildpack")}
      />
    </SettingsForm>
  );
}

function Names({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const of = useDraft({ name: app.name, subdomain: app.subdomain });
  const save = useAction({
    run: (changed: typeof of.changed) =>
      data(api.PATCH("/api/paas/apps/{app}", { params: { path: { app: app.slug } }, body: changed })),
    done: "Saved.",
    changes: [["app", app.slug], ["apps"]],
    quiet: true,
  });
  return (
    <SettingsForm id="names" title="Names" may={may.change} of={of} save={save}>
      <TextField
        name="name"
        label="Display name"
        required
        maxLength={60}
        disabled={!may.change}
        value={of.draft.name}
        onSet={of.set("name")}
      />
      <TextField
        name="subdomain"
        label="Subdomain"
        description={`1 to 30 lower-case letters, digits and single dashes, beginning with a letter. Its address is ${app.host} now; once changed, that one no longer answers.`}
        required
        maxLength={30}
        disabled={!may.change}
        value={of.draft.subdomain}
        onSet={(typed) => of.set("subdomain")(typed.toLowerCase())}
      />
    </SettingsForm>
  );
}

function Destroy({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const [asked, setAsked] = useState(false);
  const [typed, setTyped] = useState("");
  const goOn = useGoOn();
  const destroy = useAction({
    run: () =>
      data(
        api.DELETE("/api/paas/apps/{app}", { params: { path: { app: app.slug } }, body: { confirm: typed.trim() } }),
      ),
    done: `${app.slug} is being destroyed.`,
    changes: [["apps"]],
    onDone: () => void goOn({ to: "/apps", ignoreBlocker: true }),
    quiet: true,
  });
  if (!may.own) return null;
  return (
    <section aria-labelledby="destroy" className="card danger">
      <Title order={2} size="h4" id="destroy" mb="xs">
        Destroy the app
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        With its processes, releases, config vars, domains, repository and logs. It cannot be undone.
      </Text>
      <Button color="red" onClick={() => setAsked(true)}>
        Destroy {app.slug}
      </Button>
      {asked ? (
        <Dialog
          title={`Destroy ${app.slug}?`}
          onClose={() => setAsked(false)}
          onSubmit={() => destroy.mutate()}
          action="Destroy it"
          danger
          disabled={typed.trim() !== app.slug}
          pending={destroy.isPending}
          error={destroy.error}
        >
          <Text size="sm">Everything of it is removed for good.</Text>
          <TextField
            name="confirm"
            label={`Type ${app.slug} to go on`}
            autoComplete="off"
            data-autofocus
            value={typed}
            onSet={setTyped}
          />
        </Dialog>
      ) : null}
    </section>
  );
}
