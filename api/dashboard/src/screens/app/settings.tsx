// What an app is built from and how, how its health is checked, what it is called, and its end.
import { Button, Stack, Switch, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, repositoryQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Command } from "../../parts/command";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Loaded } from "../../parts/loading";
import { NumberField } from "../../parts/number_field";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { Sure } from "../../parts/sure";
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
          <Health app={app} />
          <Names app={app} />
          <Transfer app={app} />
          <Destroy app={app} />
        </Stack>
      )}
    </Loaded>
  );
}

function Git({ app, repository }: { app: Schemas["AppAnswer"]; repository: Schemas["RepositoryView"] }) {
  const may = useMay(app.organization_id);
  const [url, setUrl] = useState(repository.git_url ?? "");
  const [branch, setBranch] = useState(repository.git_branch);
  const [auto, setAuto] = useState(repository.auto_deploy);
  const [token, setToken] = useState("");
  const path = { app: app.slug };
  const changes = [["app", app.slug], ["apps"]];
  const save = useAction({
    run: () =>
      data(
        api.PATCH("/api/paas/apps/{app}/repository", {
          params: { path },
          body: {
            git_url: url.trim() || null,
            git_branch: branch.trim(),
            auto_deploy: auto,
            ...(token ? { token } : {}),
          },
        }),
      ),
    done: "Saved.",
    changes,
    onDone: () => setToken(""),
    quiet: true,
  });
  const check = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/repository/check", { params: { path } })),
    done: "The repository answers, and has the branch.",
  });
  const makeKey = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/repository/deploy-key", { params: { path } })),
    done: "There is a new deploy key. Give it to the host of the repository.",
    changes,
  });
  return (
    <section aria-labelledby="git">
      <Title order={2} size="h4" id="git" mb="sm">
        Git
      </Title>
      <Form
        onSubmit={() => save.mutate()}
        action={may.change ? "Save" : undefined}
        pending={save.isPending}
        error={save.error}
        more={
          may.change ? (
            <>
              {repository.git_url ? (
                <Button variant="default" loading={check.isPending} onClick={() => check.mutate()}>
                  Check it
                </Button>
              ) : null}
              {repository.deploy_key ? (
                <Sure label="New deploy key" size="sm" title="Make a new deploy key?" action="Make it" does={makeKey}>
                  The key of now is of no use any more: nothing can be fetched until the host of the repository has the
                  new one.
                </Sure>
              ) : (
                <Button variant="default" loading={makeKey.isPending} onClick={() => makeKey.mutate()}>
                  Make a deploy key
                </Button>
              )}
            </>
          ) : null
        }
      >
        <TextField
          name="git_url"
          label="Repository"
          description="That Skypanel fetches from. Leave it empty for an app that is only pushed to."
          placeholder="https://github.com/you/my-app.git"
          disabled={!may.change}
          value={url}
          onSet={setUrl}
        />
        <TextField
          name="git_branch"
          label="Branch"
          description="The branch that is released, by a push as well."
          required
          disabled={!may.change}
          value={branch}
          onSet={setBranch}
        />
        <TextField
          name="token"
          label="Token"
          type="password"
          autoComplete="new-password"
          description={
            repository.has_token ? "There is one; another replaces it." : "For a private repository over HTTPS."
          }
          disabled={!may.change}
          value={token}
          onSet={setToken}
        />
        <Switch
          label="Deploy by itself when the host tells of a push"
          disabled={!may.change}
          checked={auto}
          onChange={(event) => setAuto(event.currentTarget.checked)}
        />
        {repository.deploy_key ? <Command text={repository.deploy_key} label="Copy the deploy key" /> : null}
        {may.change ? null : (
          <Text c="dimmed" size="sm">
            {LOOK_ONLY}
          </Text>
        )}
      </Form>
    </section>
  );
}

const CHECKS = [
  ["health_check_port", "Port", 65535],
  ["health_check_interval_seconds", "Every (seconds)", 3600],
  ["health_check_timeout_seconds", "May wait (seconds)", 300],
  ["health_check_retries", "Failures in a row", 100],
  ["health_check_start_seconds", "May take to start (seconds)", 3600],
] as const;

function Health({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const [path, setPath] = useState(app.health_check_path ?? "");
  const [protocol, setProtocol] = useState(app.health_check_protocol ?? "");
  const [statuses, setStatuses] = useState(app.health_check_expected_status ?? "");
  const [numbers, setNumbers] = useState<Record<string, number>>(
    Object.fromEntries(CHECKS.map(([name]) => [name, app[name] ?? 0])),
  );
  const save = useAction({
    run: () =>
      data(
        api.PATCH("/api/paas/apps/{app}", {
          params: { path: { app: app.slug } },
          body: {
            health_check_path: path.trim(),
            health_check_protocol: protocol,
            health_check_expected_status: statuses.trim(),
            ...numbers,
          },
        }),
      ),
    done: "Saved. What runs is replaced by new processes with it, without a gap.",
    changes: [["app", app.slug]],
    quiet: true,
  });
  return (
    <section aria-labelledby="health">
      <Title order={2} size="h4" id="health" mb="sm">
        Health check
      </Title>
      <Form
        onSubmit={() => save.mutate()}
        action={may.change ? "Save" : undefined}
        pending={save.isPending}
        error={save.error}
      >
        <TextField
          name="health_check_path"
          label="Path"
          description="That a healthy replica answers; without, /health if it answers, else whether the port is open."
          placeholder="/health"
          disabled={!may.change}
          value={path}
          onSet={setPath}
        />
        <ChoiceField
          name="health_check_protocol"
          label="Protocol"
          description="TCP only looks whether the port is open."
          disabled={!may.change}
          data={[
            { value: "", label: "The usual" },
            { value: "http", label: "HTTP" },
            { value: "tcp", label: "TCP" },
          ]}
          value={protocol}
          onSet={setProtocol}
        />
        <TextField
          name="health_check_expected_status"
          label="Healthy statuses"
          description="Numbers and ranges with commas between; without, 200 to 399."
          placeholder="200-299,401"
          disabled={!may.change}
          value={statuses}
          onSet={setStatuses}
        />
        <div className="cards">
          {CHECKS.map(([name, label, most]) => (
            <NumberField
              key={name}
              name={name}
              label={label}
              min={0}
              max={most}
              disabled={!may.change}
              value={numbers[name] ?? 0}
              onSet={(value) => setNumbers((before) => ({ ...before, [name]: value ?? 0 }))}
            />
          ))}
        </div>
        <Text size="sm" c="dimmed">
          0 stands for the platform's setting, and for the port that requests go to.
        </Text>
      </Form>
    </section>
  );
}

function Build({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const [buildpack, setBuildpack] = useState(app.buildpack ?? "");
  const path = { app: app.slug };
  const save = useAction({
    run: () => data(api.PATCH("/api/paas/apps/{app}", { params: { path }, body: { buildpack: buildpack.trim() } })),
    done: "Saved. It counts from the next build on.",
    changes: [["app", app.slug]],
    quiet: true,
  });
  const purge = useAction({
    run: () => data(api.DELETE("/api/paas/apps/{app}/cache", { params: { path } })),
    done: "The build cache is being thrown away. The next build starts from nothing.",
  });
  return (
    <section aria-labelledby="build">
      <Title order={2} size="h4" id="build" mb="sm">
        Build
      </Title>
      <Form
        onSubmit={() => save.mutate()}
        action={may.change ? "Save" : undefined}
        pending={save.isPending}
        error={save.error}
        more={
          may.change ? (
            <Button
              variant="default"
              loading={purge.isPending}
              title="Without it the next build starts from nothing. What runs is not touched."
              onClick={() => purge.mutate()}
            >
              Purge the cache
            </Button>
          ) : null
        }
      >
        <TextField
          name="buildpack"
          label="Buildpack"
          description="A name such as nodejs, or a Git URL with an optional #branch; without, the first that fits the code."
          placeholder="found by itself"
          disabled={!may.change}
          value={buildpack}
          onSet={setBuildpack}
        />
      </Form>
    </section>
  );
}

function Names({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const [name, setName] = useState(app.name);
  const [subdomain, setSubdomain] = useState(app.subdomain);
  const save = useAction({
    run: () =>
      data(
        api.PATCH("/api/paas/apps/{app}", {
          params: { path: { app: app.slug } },
          body: { name: name.trim(), subdomain: subdomain.trim() },
        }),
      ),
    done: "Saved.",
    changes: [["app", app.slug], ["apps"]],
    quiet: true,
  });
  return (
    <section aria-labelledby="names">
      <Title order={2} size="h4" id="names" mb="sm">
        Names
      </Title>
      <Form
        onSubmit={() => save.mutate()}
        action={may.change ? "Save" : undefined}
        pending={save.isPending}
        error={save.error}
      >
        <TextField
          name="name"
          label="Name for people"
          required
          maxLength={60}
          disabled={!may.change}
          value={name}
          onSet={setName}
        />
        <TextField
          name="subdomain"
          label="Subdomain"
          description={`Its address is ${app.host} now. Requests to the one before are answered no more.`}
          required
          maxLength={30}
          disabled={!may.change}
          value={subdomain}
          onSet={(typed) => setSubdomain(typed.toLowerCase())}
        />
      </Form>
    </section>
  );
}

function Destroy({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const [asked, setAsked] = useState(false);
  const [typed, setTyped] = useState("");
  const navigate = useNavigate();
  const destroy = useAction({
    run: () =>
      data(
        api.DELETE("/api/paas/apps/{app}", { params: { path: { app: app.slug } }, body: { confirm: typed.trim() } }),
      ),
    done: `${app.slug} is being destroyed.`,
    changes: [["apps"]],
    onDone: () => void navigate({ to: "/apps" }),
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
