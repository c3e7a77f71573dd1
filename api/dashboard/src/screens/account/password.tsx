// Changes the password, which ends all other sessions.
import { Switch, Title } from "@mantine/core";
import { useState } from "react";
import { api, data } from "../../api/client";
import { useAction } from "../../parts/action";
import { Form } from "../../parts/form";
import { PasswordField } from "../../parts/password_field";

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
  return (
    <section aria-labelledby="password">
      <Title order={2} size="h4" id="password" mb="sm">
        Password
      </Title>
      <Form
        onSubmit={() => change.mutate()}
        action="Change the password"
        main={false}
        pending={change.isPending}
        error={change.error}
      >
        <PasswordField name="current_password" label="Current password" value={current} onSet={setCurrent} />
        <PasswordField name="new_password" label="New password" isNew value={wanted} onSet={setWanted} />
        <Switch
          label="End all my API tokens, too"
          description="If somebody else may know the password."
          checked={revoke}
          onChange={(event) => setRevoke(event.currentTarget.checked)}
        />
      </Form>
    </section>
  );
}
