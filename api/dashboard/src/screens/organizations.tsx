// The person's organisations, each with its people, invitations and alerts.
import { Button, Group, NativeSelect, Stack, Switch, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../api/client";
import {
  invitationsQuery,
  membersQuery,
  meQuery,
  organizationAuditQuery,
  organizationEventsQuery,
  organizationsQuery,
} from "../api/queries";
import { useAction } from "../parts/action";
import { AuditLog } from "../parts/audit_log";
import { Dialog } from "../parts/dialog";
import { ChoiceField, TextField } from "../parts/fields";
import { Form } from "../parts/form";
import { Happened } from "../parts/happened";
import { LinkTo } from "../parts/link";
import { Loaded } from "../parts/loading";
import { Head } from "../parts/page";
import { Paged } from "../parts/paged";
import { asRole } from "../parts/roles";
import { ShownOnce } from "../parts/shown_once";
import { Status } from "../parts/status";
import { Sure } from "../parts/sure";
import { Ago } from "../parts/time";
import { Alerts } from "./alerts/alerts";
import { Targets } from "./alerts/targets";
import { useChosenOrganization } from "./chosen_organization";

type Role = Schemas["Role"];
const ROLES: { value: Role; label: string }[] = [
  { value: "viewer", label: "viewer: looks" },
  { value: "developer", label: "developer: deploys and configures" },
  { value: "owner", label: "owner: everything" },
];

export function Organizations() {
  const organizations = useQuery(organizationsQuery);
  const [chosen, setChosen] = useChosenOrganization();
  const [making, setMaking] = useState(false);
  return (
    <Stack maw={860} gap="lg">
      <Head title="Organisation">
        <Button variant="default" onClick={() => setMaking(true)}>
          New organisation
        </Button>
      </Head>
      <Loaded query={organizations}>
        {(list) => {
          const organization = list.find((one) => one.name === chosen) ?? list[0];
          if (!organization) {
            return (
              <Text c="dimmed">You are in no organisation. Make one, or ask an owner of one for an invitation.</Text>
            );
          }
          return (
            <>
              {list.length > 1 ? (
                <NativeSelect
                  label="Organisation"
                  data={list.map((one) => one.name)}
                  value={organization.name}
                  onChange={(event) => setChosen(event.currentTarget.value)}
                />
              ) : null}
              <Organization key={organization.id} of={organization} />
            </>
          );
        }}
      </Loaded>
      {making ? <Make onClose={() => setMaking(false)} onMade={setChosen} /> : null}
    </Stack>
  );
}

function Make({ onClose, onMade }: { onClose: () => void; onMade: (name: string) => void }) {
  const [name, setName] = useState("");
  const make = useAction({
    run: () => data(api.POST("/api/organizations", { body: { name: name.trim() } })),
    done: (made: Schemas["OrganizationItem"]) => `${made.name} is there, and yours.`,
    changes: [["organizations"], ["me"]],
    onDone: (made) => {
      onMade(made.name);
      onClose();
    },
    quiet: true,
  });
  return (
    <Dialog
      title="New organisation"
      onClose={onClose}
      onSubmit={() => make.mutate()}
      action="Make it"
      pending={make.isPending}
      error={make.error}
    >
      <TextField
        name="name"
        label="Name"
        description="Up to 39 lower-case letters, digits and dashes, beginning with a letter or digit."
        required
        maxLength={39}
        data-autofocus
        value={name}
        onSet={(typed) => setName(typed.toLowerCase())}
      />
    </Dialog>
  );
}

function Organization({ of }: { of: Schemas["OrganizationItem"] }) {
  const owns = of.role === "owner";
  const path = { organization: of.id };
  const allow = useAction({
    run: (allowed: boolean) =>
      data(api.PATCH("/api/organizations/{organization}", { params: { path }, body: { allow_app_creation: allowed } })),
    changes: [["organizations"]],
  });
  return (
    <Stack gap="xl">
      <Group gap="sm">
        <Title order={2} size="h3" className="break">
          {of.name}
        </Title>
        {of.suspended_at ? <Status of="suspended" /> : null}
        <Text c="dimmed">You are {asRole(of.role)}.</Text>
      </Group>
      <Members of={of} owns={owns} />
      {owns ? <Invitations of={of} /> : null}
      <Text size="sm" c="dimmed">
        SSH keys and API tokens belong to a person, and do in each organisation what that person may: yours are at{" "}
        <LinkTo to="/account">Account</LinkTo>.
      </Text>
      <Alerts organization={of.id} />
      {owns ? <Targets organization={of.id} /> : null}
      <Switch
        label="Members may create apps"
        checked={allow.isPending ? allow.variables : of.allow_app_creation}
        disabled={!owns || allow.isPending}
        description={of.admin_allows_app_creation ? undefined : "An admin of the platform does not allow it."}
        onChange={(event) => allow.mutate(event.currentTarget.checked)}
      />
      <Events of={of.id} />
      {owns ? (
        <section aria-labelledby="audit">
          <Title order={3} size="h4" id="audit" mb="sm">
            Audit
          </Title>
          <AuditLog aside of={(action) => organizationAuditQuery(of.id, action)} />
        </section>
      ) : null}
    </Stack>
  );
}

function Events({ of }: { of: string }) {
  const events = useInfiniteQuery(organizationEventsQuery(of));
  return (
    <section aria-labelledby="happened">
      <Title order={3} size="h4" id="happened" mb="sm">
        What happened
      </Title>
      <Paged query={events} empty="Nothing has happened yet.">
        {(events) => <Happened events={events} apps />}
      </Paged>
    </section>
  );
}

function Members({ of, owns }: { of: Schemas["OrganizationItem"]; owns: boolean }) {
  const members = useInfiniteQuery(membersQuery(of.id));
  const me = useQuery(meQuery).data;
  return (
    <section aria-labelledby="members">
      <Title order={3} size="h4" id="members" mb="sm">
        Members
      </Title>
      <Paged query={members} empty="Nobody is a member.">
        {(members) => (
          <ul className="plain-list rows">
            {members.map((one) => (
              <Member key={one.user_id} of={of} one={one} owns={owns} self={one.user_id === me?.id} />
            ))}
          </ul>
        )}
      </Paged>
    </section>
  );
}

interface MemberProps {
  of: Schemas["OrganizationItem"];
  one: Schemas["MemberItem"];
  owns: boolean;
  self: boolean;
}

function Member({ of, one, owns, self }: MemberProps) {
  const path = { organization: of.id, user: one.user_id };
  const changes = [["organizations"], ["me"]];
  const setRole = useAction({
    run: (role: Role) =>
      data(api.PUT("/api/organizations/{organization}/members/{user}", { params: { path }, body: { role } })),
    done: (changed: Schemas["MemberItem"]) => `${changed.email} is ${changed.role} now.`,
    changes,
  });
  const remove = useAction({
    run: () => data(api.DELETE("/api/organizations/{organization}/members/{user}", { params: { path } })),
    done: `${one.email} is no longer a member.`,
    changes,
    quiet: true,
  });
  return (
    <li>
      <div className="grow">
        <Text className="break">{one.email}</Text>
        <Text size="sm" c="dimmed">
          joined <Ago at={one.created_at} />
          {one.second_factor === false ? " · no second factor" : ""}
        </Text>
      </div>
      {owns && !self ? (
        <>
          <NativeSelect
            size="xs"
            aria-label={`Role of ${one.email}`}
            data={ROLES.map(({ value }) => value)}
            value={setRole.isPending ? setRole.variables : one.role}
            onChange={(event) => setRole.mutate(event.currentTarget.value as Role)}
          />
          <Sure label="Remove" of={`Remove ${one.email}`} title={`Remove ${one.email}?`} action="Remove" does={remove}>
            They no longer see anything of {of.name}, at once. To come back they need a new invitation.
          </Sure>
        </>
      ) : (
        <Text size="sm">{one.role}</Text>
      )}
    </li>
  );
}

function Invitations({ of }: { of: Schemas["OrganizationItem"] }) {
  const invitations = useQuery(invitationsQuery(of.id));
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const [link, setLink] = useState<Schemas["NewInvitation"] | null>(null);
  const path = { organization: of.id };
  const changes = [["organizations", of.id, "invitations"]];
  const invite = useAction({
    run: () =>
      data(
        api.POST("/api/organizations/{organization}/invitations", {
          params: { path },
          body: { email: email.trim(), role },
        }),
      ),
    changes,
    onDone: (made) => {
      setLink(made);
      setEmail("");
    },
    quiet: true,
  });
  const takeBack = useAction({
    run: (id: string) =>
      data(
        api.DELETE("/api/organizations/{organization}/invitations/{id}", {
          params: { path: { ...path, id } },
        }),
      ),
    done: "The invitation is taken back.",
    changes,
  });
  return (
    <section aria-labelledby="invitations">
      <Title order={3} size="h4" id="invitations" mb="sm">
        Invitations
      </Title>
      <Stack>
        <Form row onSubmit={() => invite.mutate()} action="Invite" pending={invite.isPending} error={invite.error}>
          <TextField
            name="email"
            className="grow"
            label="E-mail address"
            type="email"
            required
            value={email}
            onSet={setEmail}
          />
          <ChoiceField name="role" label="Role" data={ROLES} value={role} onSet={setRole} />
        </Form>
        {link ? (
          <ShownOnce secret={link.url} label="Copy the link">
            Pass this link on to <bdi>{link.email}</bdi>. It ends <Ago at={link.expires_at} />.
          </ShownOnce>
        ) : null}
        <Loaded query={invitations} lines={1}>
          {(list) =>
            list.length === 0 ? (
              <Text c="dimmed" size="sm">
                No invitation is open.
              </Text>
            ) : (
              <ul className="plain-list rows">
                {list.map((one) => (
                  <li key={one.id}>
                    <span className="grow break">{one.email}</span>
                    <Text size="sm" c="dimmed">
                      {one.role}, ends <Ago at={one.expires_at} />
                    </Text>
                    <Button
                      size="xs"
                      variant="default"
                      aria-label={`Take back the invitation of ${one.email}`}
                      loading={takeBack.isPending && takeBack.variables === one.id}
                      onClick={() => takeBack.mutate(one.id)}
                    >
                      Take back
                    </Button>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Stack>
    </section>
  );
}
