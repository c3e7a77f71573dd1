// Where the link of an invitation leads: a new account for who has none, a membership for who is signed in. The token is
// behind the address's #, which no server and no log sees.
import { Alert, Anchor, Button, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { cache } from "../api/cache";
import { api, data, type Schemas } from "../api/client";
import { words } from "../api/problem";
import { meQuery } from "../api/queries";
import { signedIn, useSessionEnded } from "../api/session";
import { useAction } from "../parts/action";
import { Form } from "../parts/form";
import { useGoOn } from "../parts/go_on";
import { ButtonTo, LinkTo } from "../parts/link";
import { Refused, Waiting } from "../parts/loading";
import { useTitle } from "../parts/page";
import { PasswordField } from "../parts/password_field";
import { SignInAgain } from "./sign_in_again";
import { SignInForm } from "./sign_in_form";

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
            <Enter token={token} />
          )}
        </Stack>
      </div>
      {ended && me.data ? <SignInAgain email={me.data.email} /> : null}
    </main>
  );
}

function Join({ token, email }: { token: string; email: string }) {
  const goOn = useGoOn();
  const join = useAction({
    run: () => data(api.POST("/api/me/invitations/accept", { body: { token } })),
    done: (organization: Schemas["OrganizationItem"]) => `You are a ${organization.role} of ${organization.name} now.`,
    onDone: () => {
      cache.clear();
      void goOn({ to: "/apps" });
    },
    quiet: true,
  });
  return (
    <Stack>
      <Text className="break">
        You are signed in as <strong>{email}</strong>, and would join with that account. Is the invitation for another
        of your addresses? Then sign out in <LinkTo to="/apps">the dashboard</LinkTo> first, and open the link again.
      </Text>
      <Refused error={join.error} />
      <Button loading={join.isPending} onClick={() => join.mutate()}>
        Join the organisation
      </Button>
    </Stack>
  );
}

/** For who is not signed in. The token stays behind this address's #, so that signing in is done here as well. */
function Enter({ token }: { token: string }) {
  const [hasAccount, setHasAccount] = useState(false);
  if (!hasAccount) return <SignUp token={token} onAccount={() => setHasAccount(true)} />;
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        Sign in to the account that you want to join with. Do you have none yet?{" "}
        <Anchor component="button" type="button" inherit underline="always" onClick={() => setHasAccount(false)}>
          Make one
        </Anchor>
        .
      </Text>
      <SignInForm onDone={() => void cache.resetQueries()} />
    </Stack>
  );
}

function SignUp({ token, onAccount }: { token: string; onAccount: () => void }) {
  const goOn = useGoOn();
  const [password, setPassword] = useState("");
  const signUp = useAction({
    run: async () => {
      const made = await data(api.POST("/api/auth/sign-up", { body: { token, password } }));
      // The invitation is used up, whatever comes of signing in.
      const refused = await data(api.POST("/api/auth/login", { body: { email: made.email, password } })).then(
        () => null,
        words,
      );
      return { made, refused };
    },
    done: ({ made, refused }) => (refused ? "" : `Welcome. You are a ${made.role} of ${made.organization}.`),
    onDone: ({ refused }) => {
      if (refused) return;
      signedIn();
      cache.clear();
      void goOn({ to: "/apps" });
    },
    quiet: true,
  });
  if (signUp.data?.refused) return <Made {...signUp.data} />;
  return (
    <Form
      onSubmit={() => signUp.mutate()}
      action="Make the account"
      wide
      pending={signUp.isPending}
      error={signUp.error}
    >
      <Text size="sm" c="dimmed">
        Choose a password for your account. Do you have one already?{" "}
        <Anchor component="button" type="button" inherit underline="always" onClick={onAccount}>
          Sign in
        </Anchor>
        .
      </Text>
      <PasswordField label="Password" name="password" isNew value={password} onSet={setPassword} />
    </Form>
  );
}

function Made({ made, refused }: { made: Schemas["SignedUp"]; refused: string | null }) {
  return (
    <Stack align="start">
      <Alert color="yellow" role="alert" className="break" title="Your account is made">
        With it, {made.email}, you are a {made.role} of {made.organization}. But signing in failed: {refused}
      </Alert>
      <ButtonTo to="/sign-in">Sign in</ButtonTo>
    </Stack>
  );
}
