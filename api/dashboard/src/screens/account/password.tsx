// Changes the password, which ends all other sessions.
import { Button, Group, PasswordInput, Stack, Switch, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { api, data } from "../../api/client";
import { useAction } from "../../parts/action";
import { Refused } from "../../parts/loading";

const SHORTEST = 12;

export function Password() {
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const [revoke, setRevoke] = useState(false);
  const change = useAction({
    run: () =>
      data(
        api.POST("/api/me/password", {
          body: { current_password: current, new_password: wanted, revoke_tokens: revoke },
        }),
      ),
    done: "The password is changed, and all other browsers are signed out.",
    changes: [["sessions"], ["tokens"]],
    onDone: () => {
      setCurrent("");
      setWanted("");
    },
    quiet: true,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <section aria-labelledby="password">
      <form onSubmit={submit}>
        <Stack gap="sm">
          <Title order={2} size="h4" id="password">
            Password
          </Title>
          <PasswordInput
            label="Password of now"
            autoComplete="current-password"
            required
            visibilityToggleButtonProps={{ "aria-label": "Show the password of now" }}
            value={current}
            onChange={(event) => setCurrent(event.currentTarget.value)}
          />
          <PasswordInput
            label="New password"
            description={`${SHORTEST} characters or more.`}
            autoComplete="new-password"
            minLength={SHORTEST}
            required
            visibilityToggleButtonProps={{ "aria-label": "Show the new password" }}
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
          />
          <Switch
            label="End all my API tokens, too"
            description="Where somebody else may have known the password."
            checked={revoke}
            onChange={(event) => setRevoke(event.currentTarget.checked)}
          />
          <Refused error={change.error} />
          <Group>
            <Button type="submit" variant="default" loading={change.isPending}>
              Change the password
            </Button>
          </Group>
        </Stack>
      </form>
    </section>
  );
}
