// The keys by which pushes and commands are told whose they are.
import { Button, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data, type Schemas } from "../../api/client";
import { sshKeysQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Loaded } from "../../parts/loading";
import { SshKeyForm } from "../../parts/ssh_key_form";
import { Ago } from "../../parts/time";

export function SshKeys() {
  const keys = useQuery(sshKeysQuery);
  return (
    <section aria-labelledby="ssh-keys">
      <Stack>
        <Title order={2} size="h4" id="ssh-keys">
          SSH keys
        </Title>
        <Loaded query={keys}>
          {(keys) =>
            keys.length === 0 ? (
              <Text c="dimmed">No key yet. You need one to push, and to run commands over SSH.</Text>
            ) : (
              <ul className="plain-list rows">
                {keys.map((key) => (
                  <Key key={key.fingerprint} of={key} />
                ))}
              </ul>
            )
          }
        </Loaded>
        <Title order={3} size="h5">
          Add another
        </Title>
        <SshKeyForm />
      </Stack>
    </section>
  );
}

function Key({ of }: { of: Schemas["SshKeyItem"] }) {
  const remove = useAction({
    run: () =>
      data(api.DELETE("/api/me/ssh-keys/{fingerprint}", { params: { path: { fingerprint: of.fingerprint } } })),
    done: `The key "${of.name}" no longer opens anything.`,
    changes: [["ssh-keys"]],
  });
  return (
    <li>
      <div className="grow">
        <Text fw={600}>{of.name}</Text>
        <Text size="sm" c="dimmed" className="mono break">
          {of.fingerprint}
        </Text>
      </div>
      <Text size="sm" c="dimmed">
        {of.last_used_at ? (
          <>
            used <Ago at={of.last_used_at} />
          </>
        ) : (
          "never used"
        )}
      </Text>
      <Button
        size="xs"
        variant="default"
        loading={remove.isPending}
        onClick={() => remove.mutate()}
        aria-label={`Remove the key ${of.name}`}
      >
        Remove
      </Button>
    </li>
  );
}
