// The app's names: the platform's, and those of its own with the DNS records they need.
import { Alert, Button, Group, Stack, Switch, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { appQuery, domainsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Command } from "../../parts/command";
import { TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Loaded } from "../../parts/loading";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { Status } from "../../parts/status";
import { Sure } from "../../parts/sure";
import { Ago } from "../../parts/time";

const route = getRouteApi("/shell/apps/$app");

export function Domains() {
  const { app: slug } = route.useParams();
  const app = useQuery(appQuery(slug)).data;
  const domains = useQuery(domainsQuery(slug));
  const may = useMay(app?.organization_id);
  return (
    <Stack gap="lg" maw={860}>
      {may.change ? <Add slug={slug} /> : <Text c="dimmed">{LOOK_ONLY}</Text>}
      <Loaded query={domains}>
        {(list) => (
          <Stack gap="lg">
            <div className="card">
              <Text className="label">The platform's name for it</Text>
              <Text fw={600} className="break">
                {list.default_domain}
              </Text>
            </div>
            {list.items.length === 0 ? (
              <Text c="dimmed">No domain of its own yet. Add one, and you are told which DNS records it needs.</Text>
            ) : (
              list.items.map((one) => <Domain key={one.id} slug={slug} one={one} may={may.change} />)
            )}
            <Redirect slug={slug} on={list.https_redirect} may={may.change} />
          </Stack>
        )}
      </Loaded>
    </Stack>
  );
}

function Add({ slug }: { slug: string }) {
  const [name, setName] = useState("");
  const add = useAction({
    run: () =>
      data(
        api.POST("/api/paas/apps/{app}/domains", { params: { path: { app: slug } }, body: { domain: name.trim() } }),
      ),
    done: (one: Schemas["DomainItem"]) => `${one.display_name} is added. Now set its DNS records.`,
    changes: [["app", slug, "domains"]],
    onDone: () => setName(""),
    quiet: true,
  });
  return (
    <Form row onSubmit={() => add.mutate()} action="Add" pending={add.isPending} error={add.error}>
      <TextField
        name="domain"
        className="grow"
        label="Add a domain"
        placeholder="www.example.com"
        required
        value={name}
        onSet={setName}
      />
    </Form>
  );
}

function Domain({ slug, one, may }: { slug: string; one: Schemas["DomainItem"]; may: boolean }) {
  const path = { app: slug, domain: one.domain };
  const changes = [["app", slug, "domains"]];
  const verify = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/domains/{domain}/verify", { params: { path } })),
    isGood: (answer) => answer.proven && answer.leads_here,
    done: (answer: Schemas["VerifiedDomain"]) =>
      answer.proven && answer.leads_here ? `${one.display_name} is active.` : "The DNS records are not right yet.",
    changes,
  });
  const remove = useAction({
    run: () => data(api.DELETE("/api/paas/apps/{app}/domains/{domain}", { params: { path } })),
    done: `${one.display_name} is removed.`,
    changes,
    quiet: true,
  });
  return (
    <section className="card" aria-label={one.display_name}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Group gap="sm">
            <Title order={2} size="h4" className="break">
              {one.display_name}
            </Title>
            <Status of={one.status} />
          </Group>
          {may ? (
            <Group gap="xs">
              <Button size="xs" variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
                Verify now
              </Button>
              <Sure label="Remove" title={`Remove ${one.display_name}?`} action="Remove" does={remove}>
                Within seconds it no longer leads to the app. It can be added again.
              </Sure>
            </Group>
          ) : null}
        </Group>
        {one.problem ? (
          <Alert color="yellow" p="sm" title="The DNS records are not right yet">
            {one.problem}
          </Alert>
        ) : null}
        <div className="stacks">
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Type</Table.Th>
                <Table.Th>Name</Table.Th>
                <Table.Th>Value</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {[one.verification, ...one.routing].map((record) => (
                <Table.Tr key={`${record.type} ${record.name} ${record.value}`}>
                  <Table.Td fw={600}>{record.type}</Table.Td>
                  <Table.Td>
                    <span className="label narrow">Name</span>
                    <Command text={record.name} label={`Copy the name of the ${record.type} record`} />
                  </Table.Td>
                  <Table.Td>
                    <span className="label narrow">Value</span>
                    <Command text={record.value} label={`Copy the value of the ${record.type} record`} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
        <Text size="sm" c="dimmed">
          {one.checked_at ? (
            <>
              Looked at <Ago at={one.checked_at} />
            </>
          ) : (
            "Not looked at yet"
          )}
          {". Certificate: "}
          {one.ssl_status}
          {one.ssl_cert_expires_at ? (
            <>
              , ends <Ago at={one.ssl_cert_expires_at} />
            </>
          ) : null}
          .
        </Text>
        {one.ssl_problem ? <Alert color="yellow">{one.ssl_problem}</Alert> : null}
      </Stack>
    </section>
  );
}

function Redirect({ slug, on, may }: { slug: string; on: boolean; may: boolean }) {
  const change = useAction({
    run: (wanted: boolean) =>
      data(
        api.PATCH("/api/paas/apps/{app}/domains", {
          params: { path: { app: slug } },
          body: { https_redirect: wanted },
        }),
      ),
    changes: [["app", slug, "domains"]],
  });
  return (
    <Switch
      label="Redirect to HTTPS"
      description="Once the edge serves a certificate for the domain."
      checked={change.isPending ? change.variables : on}
      disabled={!may || change.isPending}
      onChange={(event) => change.mutate(event.currentTarget.checked)}
    />
  );
}
