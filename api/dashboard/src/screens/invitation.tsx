// Where the link of an invitation leads: a new account for who has none, a membership for who is signed in. The token is
// behind the address's #, which no server and no log sees.
import { Alert, Button, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { cache } from "../api/cache";
import { api, data, type Schemas } from "../api/client";
import { meQuery } from "../api/queries";
import { signedIn, useSessionEnded } from "../api/session";
import { useAction } from "../parts/action";
import { Form } from "../parts/form";
import { LinkTo } from "../parts/link";
import { Refused, Waiting } from "../parts/loading";
import { useTitle } from "../parts/page";
import { PasswordField } from "../parts/password_field";
import { SignInAgain } from "./sign_in_again";

export function Invitation() {
  useTitle("Invitation");
  const token = location.hash.slice(1);
  const ended = useSessionEnded();
  const me = useQuery({ ...meQuery, retry: false });
  return (
    <main className="centre">
      <div className="sheet">
        <Stack gap="lg">
          <Title order={1} size="h2">
            You are invited
          </Title>
          {token === "" ? (
            <Alert color="yellow">The link is not complete: the part after its # is missing. Copy all of it.</Alert>
          ) : me.isPending ? (
            <Waiting lines={2} />
          ) : me.data ? (
            <Join token={token} email={me.data.email} />
          ) : (
            <SignUp token={token} />
          )}
        </Stack>
      </div>
      {ended && me.data ? <SignInAgain email={me.data.email} /> : null}
    </main>
  );
}

function Join({ token, email }: { token: string; email: string }) {
  const navigate = useNavigate();
  const join = useAction({
    run: () => data(api.POST("/api/me/invitations/accept", { body: { token } })),
    done: (organization: Schemas["OrganizationItem"]) => `You are a ${organization.role} of ${organization.name} now.`,
    onDone: () => {
      cache.clear();
      void navigate({ to: "/apps" });
    },
    quiet: true,
  });
  return (
    <Stack>
      <Text className="break">Signed in as {email}.</Text>
      <Refused error={join.error} />
      <Button loading={join.isPending} onClick={() => join.mutate()}>
        Join the organisation
      </Button>
    </Stack>
  );
}

function SignUp({ token }: { token: string }) {
  const navigate = useNavigate();
  const [password, setPassword] = useState("");
  const signUp = useAction({
    run: async () => {
      const made = await data(api.POST("/api/auth/sign-up", { body: { token, password } }));
      await data(api.POST("/api/auth/login", { body: { email: made.email, password } }));
      signedIn();
      return made;
    },
    done: (made: Schemas["SignedUp"]) => `Welcome. You are a ${made.role} of ${made.organization}.`,
    onDone: () => {
      cache.clear();
      void navigate({ to: "/apps" });
    },
    quiet: true,
  });
  return (
    <Form
      onSubmit={() => signUp.mutate()}
      action="Make the account"
      wide
      pending={signUp.isPending}
      error={signUp.error}
    >
      <Text size="sm" c="dimmed">
        Choose a password for your account. Do you have one already? Then <LinkTo to="/sign-in">sign in</LinkTo>, and
        open the link once more.
      </Text>
      <PasswordField label="Password" name="password" isNew value={password} onSet={setPassword} />
    </Form>
  );
}
