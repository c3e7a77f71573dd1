// Where the link of an invitation leads: a new account for who has none, a membership for who is signed in. The token is
// behind the address's #, which no server and no log sees.
import { Alert, Button, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useLocation } from "@tanstack/react-router";
import { useState } from "react";
import { cache } from "../api/cache";
import { api, data, type Schemas } from "../api/client";
import { words } from "../api/problem";
import { invitationQuery, meQuery } from "../api/queries";
import { signedIn, useSessionEnded } from "../api/session";
import { useAction } from "../parts/action";
import { Form } from "../parts/form";
import { useGoOn } from "../parts/go_on";
import { ButtonTo, LinkTo } from "../parts/link";
import { Loaded, Refused, Waiting } from "../parts/loading";
import { useTitle } from "../parts/page";
import { PasswordField } from "../parts/password_field";
import { asRole } from "../parts/roles";
import { exactly } from "../parts/time";
import { SignInAgain } from "./sign_in_again";
import { SignInForm } from "./sign_in_form";

export function Invitation() {
  useTitle("Invitation");
  const token = useLocation({ select: ({ hash }) => hash });
  const ended = useSessionEnded();
  const me = useQuery({ ...meQuery, retry: false });
  const invitation = useQuery({ ...invitationQuery(token), enabled: token !== "" });
  return (
    <main className="centre">
      <div className="sheet">
        <Stack gap="lg">
          <Title order={1} size="h2">
            You are invited
          </Title>
          {token === "" ? (
            <Alert color="yellow">The link is not complete: the part after its # is missing. Copy all of it.</Alert>
          ) : (
            <Loaded query={invitation} lines={2}>
              {(of) => (
                <>
                  <Text className="break">
                    You would be {asRole(of.role)} of <strong>{of.organization}</strong>. The invitation is for{" "}
                    {of.email} and can be accepted until {exactly(new Date(of.expires_at))}.
                  </Text>
                  {me.isPending ? (
                    <Waiting lines={2} />
                  ) : me.data ? (
                    <Join token={token} of={of} email={me.data.email} />
                  ) : of.has_account ? (
                    <SignIn email={of.email} />
                  ) : (
                    <SignUp token={token} />
                  )}
                </>
              )}
            </Loaded>
          )}
        </Stack>
      </div>
      {ended && me.data ? <SignInAgain email={me.data.email} /> : null}
    </main>
  );
}

interface JoinProps {
  token: string;
  of: Schemas["ShownInvitation"];
  /** Of the account that is signed in. */
  email: string;
}

function Join({ token, of, email }: JoinProps) {
  const goOn = useGoOn();
  const join = useAction({
    run: () => data(api.POST("/api/me/invitations/accept", { body: { token } })),
    done: ({ role, name }: Schemas["OrganizationItem"]) => `You are ${asRole(role)} of ${name} now.`,
    onDone: () => {
      cache.clear();
      void goOn({ to: "/apps" });
    },
    quiet: true,
  });
  if (email.toLowerCase() !== of.email.toLowerCase()) {
    return (
      <Alert color="yellow" className="break">
        You are signed in as {email}. Sign out in{" "}
        <LinkTo to="/apps" inherit underline="always">
          the dashboard
        </LinkTo>{" "}
        first and open the link again, or ask for an invitation to {email}.
      </Alert>
    );
  }
  return (
    <Stack>
      <Refused error={join.error} />
      <Button loading={join.isPending} onClick={() => join.mutate()}>
        Join the organisation
      </Button>
    </Stack>
  );
}

/** The token stays behind this address's #, so that signing in is done here as well. */
function SignIn({ email }: { email: string }) {
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        There is an account for that address. Sign in to join with it.
      </Text>
      <SignInForm email={email} onDone={() => void cache.resetQueries({ queryKey: meQuery.queryKey })} />
    </Stack>
  );
}

function SignUp({ token }: { token: string }) {
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
    done: ({ made, refused }) => (refused ? "" : `Welcome. You are ${asRole(made.role)} of ${made.organization}.`),
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
        There is no account for that address yet. Choose a password for yours.
      </Text>
      <PasswordField label="Password" name="password" isNew value={password} onSet={setPassword} />
    </Form>
  );
}

function Made({ made, refused }: { made: Schemas["SignedUp"]; refused: string | null }) {
  return (
    <Stack align="start">
      <Alert color="yellow" role="alert" className="break" title="Your account is made">
        With it, {made.email}, you are {asRole(made.role)} of {made.organization}. But signing in failed: {refused}
      </Alert>
      <ButtonTo to="/sign-in">Sign in</ButtonTo>
    </Stack>
  );
}
