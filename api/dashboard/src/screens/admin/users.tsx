// All users of the platform: made admins, locked out, let in again.
import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, data, type Schemas } from "../../api/client";
import { adminUsersQuery, meQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { count, money } from "../../parts/amounts";
import { Paged } from "../../parts/paged";
import { useSearch } from "../../parts/search_field";
import { Sure } from "../../parts/sure";
import { Ago } from "../../parts/time";

export function AdminUsers() {
  const { settled, field } = useSearch("Search users");
  const users = useInfiniteQuery({ ...adminUsersQuery(settled), placeholderData: keepPreviousData });
  const me = useQuery(meQuery).data;
  return (
    <Stack gap="sm">
      {field}
      <Paged query={users} empty={settled ? "Nobody has this in their address." : "There is nobody yet."}>
        {(items) => (
          <ul className="plain-list rows" aria-label="Users">
            {items.map((one) => (
              <Row key={one.id} of={one} self={one.id === me?.id} />
            ))}
          </ul>
        )}
      </Paged>
    </Stack>
  );
}

function Row({ of, self }: { of: Schemas["UserItem"]; self: boolean }) {
  const change = (body: Schemas["WantedUser"]) => ({
    run: () => data(api.PATCH("/api/admin/paas/users/{user}", { params: { path: { user: of.id } }, body })),
    changes: [["admin"]],
  });
  const setAdmin = useAction({ ...change({ is_admin: !of.is_admin }), quiet: true });
  const lock = useAction({ ...change({ disabled: true }), quiet: true });
  const letIn = useAction(change({ disabled: false }));
  const locked = Boolean(of.disabled_at);
  return (
    <li>
      <div className="grow">
        <Group gap="xs">
          <Text fw={600} className="break">
            {of.email}
          </Text>
          {of.is_admin ? (
            <Badge variant="light" tt="none" radius="sm">
              admin
            </Badge>
          ) : null}
          {locked ? (
            <Badge variant="light" color="red" tt="none" radius="sm">
              locked out
            </Badge>
          ) : null}
        </Group>
        <Text size="sm" c="dimmed" className="break">
          {of.organizations.map((one) => `${one.name} (${one.role})`).join(", ") || "in no organisation"} ·{" "}
          {count(of.apps, "app")}, {money(of.cost_month)} this month ·{" "}
          {of.last_login_at ? (
            <>
              last signed in <Ago at={of.last_login_at} />
            </>
          ) : (
            "never signed in"
          )}
          {of.has_second_factor ? "" : " · no second factor"}
        </Text>
      </div>
      {self ? null : (
        <Group gap="xs">
          {of.is_admin ? (
            <Sure
              key="no admin"
              label="Remove as admin"
              of={`Remove as admin: ${of.email}`}
              title={`Remove ${of.email} as an admin?`}
              action="Remove as admin"
              does={setAdmin}
            >
              They keep their account and their organisations, and no longer see what is only for admins.
            </Sure>
          ) : (
            <Sure
              key="admin"
              label="Make admin"
              of={`Make admin: ${of.email}`}
              title={`Make ${of.email} an admin?`}
              action="Make admin"
              does={setAdmin}
            >
              They can then do everything on the platform: see all apps, change settings and wallets, and lock out
              anybody, including you.
            </Sure>
          )}
          {locked ? (
            <Button
              size="xs"
              variant="default"
              loading={letIn.isPending}
              aria-label={`Let in: ${of.email}`}
              onClick={() => letIn.mutate()}
            >
              Let in
            </Button>
          ) : (
            <Sure
              label="Lock out"
              of={`Lock out: ${of.email}`}
              title={`Lock ${of.email} out?`}
              action="Lock out"
              does={lock}
            >
              All their sessions end, and neither their tokens nor their keys work until they are let in again. Their
              apps run on.
            </Sure>
          )}
        </Group>
      )}
    </li>
  );
}
