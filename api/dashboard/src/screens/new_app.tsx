// Makes an app, and leads to its page, where the commands for the first push are.
import { Group, Radio, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, type Schemas } from "../api/client";
import { meQuery, plansQuery } from "../api/queries";
import { useAction } from "../parts/action";
import { cents, count, hourly, ram } from "../parts/amounts";
import { ChoiceField, TextField } from "../parts/fields";
import { Form } from "../parts/form";
import { useGoOn } from "../parts/go_on";
import { ButtonTo, LinkTo } from "../parts/link";
import { Loaded } from "../parts/loading";
import { Head } from "../parts/page";
import { LOOK_ONLY, NO_NEW_APPS, useCreatesIn } from "../parts/roles";

const route = getRouteApi("/shell/new");

export function NewApp() {
  const me = useQuery(meQuery).data;
  const plans = useQuery(plansQuery);
  const { plan: chosen } = route.useSearch();
  const organizations = useCreatesIn();
  return (
    <Stack maw={640}>
      <Head title="New app" />
      {me && organizations.length === 0 ? (
        <Text>{whyNot(me.organizations)}</Text>
      ) : (
        <Loaded query={plans}>
          {(plans) =>
            plans.length === 0 ? (
              <Text>There is no plan yet, and every app has one. Ask an admin of the platform to make one.</Text>
            ) : (
              <Fields plans={plans} chosen={chosen} organizations={organizations} />
            )
          }
        </Loaded>
      )}
    </Stack>
  );
}

function whyNot(organizations: Schemas["Membership"][]): string {
  if (organizations.length === 0) return "An app is of an organisation, and you are in none.";
  return organizations.every((one) => one.role === "viewer") ? LOOK_ONLY : NO_NEW_APPS;
}

interface FieldsProps {
  plans: Schemas["PlanItem"][];
  chosen: string | undefined;
  organizations: string[];
}

function Fields({ plans, chosen, organizations }: FieldsProps) {
  const goOn = useGoOn();
  const [slug, setSlug] = useState("");
  const [picked, setPicked] = useState("");
  const organization = organizations.includes(picked) ? picked : (organizations[0] ?? "");
  const [plan, setPlan] = useState(plans.find((one) => one.name === chosen)?.name ?? plans[0]?.name ?? "");
  const [gitUrl, setGitUrl] = useState("");
  const create = useAction({
    run: () =>
      data(
        api.POST("/api/paas/apps", {
          body: { slug: slug.trim() || null, organization, plan, git_url: gitUrl.trim() || null },
        }),
      ),
    done: (app: Schemas["AppItem"]) => `${app.slug} is there. Push to it.`,
    changes: [["apps"]],
    onDone: (app) => void goOn({ to: "/apps/$app", params: { app: app.slug } }),
    quiet: true,
  });
  return (
    <Form
      onSubmit={() => create.mutate()}
      action="Create the app"
      pending={create.isPending}
      error={create.error}
      more={
        <ButtonTo to="/apps" variant="default">
          Cancel
        </ButtonTo>
      }
    >
      <TextField
        name="slug"
        label="Name"
        description="1 to 30 lower-case letters, digits and single dashes, beginning with a letter; part of its address. Left empty: a friendly one is made up."
        placeholder="my-app"
        maxLength={30}
        data-autofocus
        value={slug}
        onSet={(typed) => setSlug(typed.toLowerCase())}
      />
      {organizations.length > 1 ? (
        <ChoiceField
          name="organization"
          label="Organisation"
          data={organizations}
          value={organization}
          onSet={setPicked}
        />
      ) : null}
      <Radio.Group
        label="Plan"
        description={
          <>
            What each replica has, and costs. It can be changed later. <LinkTo to="/plans">Compare the plans</LinkTo>
          </>
        }
        value={plan}
        onChange={setPlan}
      >
        <Stack gap="xs" mt="xs">
          {plans.map((one) => (
            <Radio.Card key={one.id} value={one.name} p="sm" radius="md">
              <Group wrap="nowrap" gap="sm">
                <Radio.Indicator />
                <div className="grow">
                  <Text fw={600}>{one.name}</Text>
                  <Text size="sm" c="dimmed">
                    {one.cpu_cores} CPU · {ram(one.ram_mb)} memory · up to {count(one.max_replicas, "replica")}
                  </Text>
                </div>
                <div className="numeric">
                  <Text fw={600}>{hourly(one.price_per_hour)} an hour</Text>
                  <Text size="sm" c="dimmed">
                    {cents(one.price_per_month)} a month
                  </Text>
                </div>
              </Group>
            </Radio.Card>
          ))}
        </Stack>
      </Radio.Group>
      <TextField
        name="git_url"
        label="Git repository"
        description="Only if you do not push: a public HTTPS address that Skypanel fetches from. Private ones can be set later."
        placeholder="https://github.com/you/my-app.git"
        value={gitUrl}
        onSet={setGitUrl}
      />
    </Form>
  );
}
