// All users of the platform: made admins, locked out, let in again.
import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, data, type Schemas } from "../../api/client";
import { adminUsersQuery, meQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Paged } from "../../parts/paged";
import { useSearch } from "../../parts/search_field";
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
  const change = useAction({
    run: (body: Schemas["WantedUser"]) =>
      data(api.PATCH("/api/admin/paas/users/{user}", { params: { path: { user: of.id } }, body })),
    changes: [["admin"]],
  });
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
          <Button
            size="xs"
            variant="default"
            loading={change.isPending}
            aria-label={of.is_admin ? `No admin any more: ${of.email}` : `Make admin: ${of.email}`}
            onClick={() => change.mutate({ is_admin: !of.is_admin })}
          >
            {of.is_admin ? "No admin any more" : "Make admin"}
          </Button>
          <Button
            size="xs"
            variant="default"
            loading={change.isPending}
            aria-label={locked ? `Let in: ${of.email}` : `Lock out: ${of.email}`}
            onClick={() => change.mutate({ disabled: !locked })}
          >
            {locked ? "Let in" : "Lock out"}
          </Button>
        </Group>
      )}
    </li>
  );
}
