// What a newcomer does first: a key, an app, a push. Each step is ticked off as it happens.
import { Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { Schemas } from "../api/client";
import { membersQuery, meQuery, platformQuery, sshKeysQuery } from "../api/queries";
import { Command } from "../parts/command";
import { ButtonTo, LinkTo } from "../parts/link";
import { NO_NEW_APPS, useMayCreate } from "../parts/roles";
import { SshKeyForm } from "../parts/ssh_key_form";

export function FirstSteps() {
  return useMayCreate() ? <Steps /> : <NothingYet />;
}

/** For those who only look, those whose organisations make no apps, and those who are nowhere. */
function NothingYet() {
  const organizations = useQuery(meQuery).data?.organizations ?? [];
  return (
    <Stack gap="xs" maw={720} mt="md">
      <Title order={2} size="h4">
        Nothing to look at yet
      </Title>
      {organizations.length === 0 ? (
        <Text c="dimmed">
          You are in no organisation. <LinkTo to="/organizations">Make one</LinkTo>, or ask an owner of one for an
          invitation.
        </Text>
      ) : (
        <Text c="dimmed">
          Apps show here as soon as somebody makes one.{" "}
          {organizations.every((one) => one.role === "viewer")
            ? "To make them yourself, ask an owner for the role developer:"
            : NO_NEW_APPS}
        </Text>
      )}
      {organizations.map((one) => (
        <Owners key={one.id} of={one} />
      ))}
    </Stack>
  );
}

function Owners({ of }: { of: Schemas["Membership"] }) {
  const members = useInfiniteQuery(membersQuery(of.id)).data?.pages.flatMap((page) => page.items) ?? [];
  const owners = members.filter((one) => one.role === "owner").map((one) => one.email);
  return (
    <Text className="break">
      {of.name}: {owners.join(", ") || "…"}
    </Text>
  );
}

function Steps() {
  const keys = useQuery(sshKeysQuery);
  const hasKey = (keys.data?.length ?? 0) > 0;
  return (
    <Stack gap="lg" maw={720} mt="md">
      <Text c="dimmed">You have no app yet. Three steps, and your code answers on the web.</Text>
      <ol className="steps">
        <li data-done={hasKey}>
          <Title order={2} size="h4" mb="xs">
            {hasKey ? "Your SSH key is known" : "Add your SSH key"}
          </Title>
          {hasKey ? (
            <Text c="dimmed" size="sm">
              {keys.data?.map((key) => key.name).join(", ")}
            </Text>
          ) : (
            <SshKeyForm />
          )}
        </li>
        <li data-done={false}>
          <Title order={2} size="h4" mb="xs">
            Create an app
          </Title>
          <ButtonTo to="/new" variant={hasKey ? "filled" : "default"}>
            New app
          </ButtonTo>
        </li>
        <li data-done={false}>
          <Title order={2} size="h4" mb="xs">
            Push it
          </Title>
          <PushCommands app="my-app" />
        </li>
      </ol>
    </Stack>
  );
}

/** The commands that make an app go live, in a folder with or without a repository, and whatever its branch is called. */
export function PushCommands({ app, branch = "main" }: { app: string; branch?: string }) {
  const ssh = useQuery(platformQuery).data?.ssh;
  const address = ssh ? `ssh://${ssh.user}@${ssh.host}:${ssh.port}/${app}.git` : "…";
  return (
    <Stack gap="xs">
      <Text c="dimmed" size="sm">
        In your project's folder. The first commits what is not committed yet; where all is, it changes nothing.
      </Text>
      <Command text={`git init -b ${branch} && git add -A && git commit -m "First release"`} />
      <Command text={`git remote add skypanel ${address}`} />
      <Command text={`git push skypanel HEAD:${branch}`} />
      <Text c="dimmed" size="sm">
        From then on, <code>git push skypanel {branch}</code> releases what you commit there.
      </Text>
    </Stack>
  );
}
