// The addresses that Git hosts call when somebody pushes there, and what came of their calls.
import { Button, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { deliveriesQuery, webhooksQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Command } from "../../parts/command";
import { ChoiceField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Loaded } from "../../parts/loading";
import { ShownOnce } from "../../parts/shown_once";
import { Status } from "../../parts/status";
import { Sure } from "../../parts/sure";
import { Ago } from "../../parts/time";
import { shortHash } from "./deployment_words";

type Provider = Schemas["WebhookProvider"];
const PROVIDERS: { value: Provider; label: string }[] = [
  { value: "github", label: "GitHub" },
  { value: "gitlab", label: "GitLab" },
  { value: "gitea", label: "Gitea" },
  { value: "generic", label: "another, signed" },
];

export function Webhooks({ slug, may }: { slug: string; may: boolean }) {
  const webhooks = useQuery({ ...webhooksQuery(slug), enabled: may });
  const [provider, setProvider] = useState<Provider>("github");
  const make = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/webhooks", { params: { path: { app: slug } }, body: { provider } })),
    changes: [["app", slug, "webhooks"]],
    quiet: true,
  });
  if (!may) return null;
  return (
    <section aria-labelledby="webhooks">
      <Stack gap="sm">
        <Title order={2} size="h4" id="webhooks">
          Webhooks
        </Title>
        <Text size="sm" c="dimmed">
          A host that calls one deploys what was pushed there, where "Deploy by itself" is on.
        </Text>
        <Form
          row
          onSubmit={() => make.mutate()}
          action="Make a webhook"
          main={false}
          pending={make.isPending}
          error={make.error}
        >
          <ChoiceField name="provider" label="Host" data={PROVIDERS} value={provider} onSet={setProvider} />
        </Form>
        {make.data ? <Secret of={make.data} /> : null}
        <Loaded query={webhooks} lines={1}>
          {(webhooks) =>
            webhooks.length === 0 ? (
              <Text c="dimmed">No webhook yet.</Text>
            ) : (
              webhooks.map((one) => <Webhook key={one.id} slug={slug} of={one} />)
            )
          }
        </Loaded>
      </Stack>
    </section>
  );
}

function Secret({ of }: { of: Schemas["WebhookWithSecret"] }) {
  return (
    <ShownOnce secret={of.secret} label="Copy the secret">
      This is the secret to give to the host.
    </ShownOnce>
  );
}

function Webhook({ slug, of }: { slug: string; of: Schemas["WebhookItem"] }) {
  const [open, setOpen] = useState(false);
  const path = { app: slug, webhook: of.id };
  const changes = [["app", slug, "webhooks"]];
  const rotate = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/webhooks/{webhook}/rotate", { params: { path } })),
    done: "There is a new secret; the old one works for a while longer.",
    changes,
  });
  const remove = useAction({
    run: () => data(api.DELETE("/api/paas/apps/{app}/webhooks/{webhook}", { params: { path } })),
    done: "The webhook is removed.",
    changes,
    quiet: true,
  });
  return (
    <div className="card">
      <Stack gap="sm">
        <Group justify="space-between">
          <Text fw={600}>{PROVIDERS.find(({ value }) => value === of.provider)?.label}</Text>
          <Text size="sm" c="dimmed">
            {of.last_delivery_at ? (
              <>
                last called <Ago at={of.last_delivery_at} />
              </>
            ) : (
              "never called"
            )}
          </Text>
        </Group>
        <Command text={of.url} label="Copy the address" />
        {rotate.data ? <Secret of={rotate.data} /> : null}
        <Group gap="xs">
          <Button size="xs" variant="default" aria-expanded={open} onClick={() => setOpen(!open)}>
            Calls
          </Button>
          <Button size="xs" variant="default" loading={rotate.isPending} onClick={() => rotate.mutate()}>
            New secret
          </Button>
          <Sure label="Remove" title="Remove the webhook?" action="Remove" does={remove}>
            Calls to its address are answered that there is nothing there, and no longer deploy.
          </Sure>
        </Group>
        {open ? <Deliveries slug={slug} webhook={of.id} /> : null}
      </Stack>
    </div>
  );
}

function Deliveries({ slug, webhook }: { slug: string; webhook: string }) {
  const deliveries = useQuery(deliveriesQuery(slug, webhook));
  const replay = useAction({
    run: (delivery: string) =>
      data(
        api.POST("/api/paas/apps/{app}/webhooks/{webhook}/deliveries/{delivery}/replay", {
          params: { path: { app: slug, webhook, delivery } },
        }),
      ),
    isGood: (answer) => answer.outcome === "deployed",
    done: (answer: Schemas["DeliveryItem"]) => answer.reason,
    changes: [["app", slug]],
  });
  return (
    <Loaded query={deliveries} lines={1}>
      {(deliveries) =>
        deliveries.length === 0 ? (
          <Text size="sm" c="dimmed">
            It was not called yet.
          </Text>
        ) : (
          <ul className="plain-list rows" aria-label="Calls">
            {deliveries.map((one) => (
              <li key={one.id}>
                <div className="grow">
                  <Text size="sm" className="break">
                    {one.event}: {one.reason}
                  </Text>
                  <Text size="sm" c="dimmed" className="break">
                    {one.git_branch} {one.git_commit ? shortHash(one.git_commit) : null} <Ago at={one.received_at} />
                  </Text>
                </div>
                <Status of={one.outcome} />
                {one.git_branch ? (
                  <Button
                    size="xs"
                    variant="default"
                    loading={replay.isPending && replay.variables === one.id}
                    onClick={() => replay.mutate(one.id)}
                  >
                    Again
                  </Button>
                ) : null}
              </li>
            ))}
          </ul>
        )
      }
    </Loaded>
  );
}
