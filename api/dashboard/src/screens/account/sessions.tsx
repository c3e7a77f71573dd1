// The browsers that the person is signed in at.
import { Badge, Button, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data, type Schemas } from "../../api/client";
import { sessionsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { agentWords } from "../../parts/agent";
import { Loaded } from "../../parts/loading";
import { Ago } from "../../parts/time";

export function Sessions() {
  const sessions = useQuery(sessionsQuery);
  return (
    <section aria-labelledby="sessions">
      <Stack>
        <Title order={2} size="h4" id="sessions">
          Signed in at
        </Title>
        <Loaded query={sessions} lines={1}>
          {(sessions) => (
            <ul className="plain-list rows" aria-label="Sessions">
              {sessions.map((one) => (
                <Row key={one.id} of={one} />
              ))}
            </ul>
          )}
        </Loaded>
      </Stack>
    </section>
  );
}

function Row({ of }: { of: Schemas["SessionItem"] }) {
  const end = useAction({
    run: () => data(api.DELETE("/api/me/sessions/{id}", { params: { path: { id: of.id } } })),
    done: "That browser is signed out.",
    changes: [["sessions"]],
  });
  return (
    <li>
      <div className="grow">
        <Group gap="xs">
          <Text className="break" title={of.user_agent ?? undefined}>
            {agentWords(of.user_agent)}
          </Text>
          {of.current ? (
            <Badge variant="light" tt="none" radius="sm">
              this one
            </Badge>
          ) : null}
        </Group>
        <Text size="sm" c="dimmed">
          {of.address ? `${of.address}, ` : ""}used <Ago at={of.last_used_at} />
        </Text>
      </div>
      {of.current ? null : (
        <Button size="xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>
          Sign out
        </Button>
      )}
    </li>
  );
}
