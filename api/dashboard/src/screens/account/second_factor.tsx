// The second factor: set up with an authenticator app, switched on by its first code, and off with both.
import { Anchor, Stack, Text, Title } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { useAction } from "../../parts/action";
import { Command } from "../../parts/command";
import { TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { PasswordField } from "../../parts/password_field";
import { ShownOnce } from "../../parts/shown_once";

const QrCode = lazy(() => import("../../parts/qr_code").then((module) => ({ default: module.QrCode })));

export function SecondFactor({ on }: { on: boolean }) {
  const [codes, setCodes] = useState<string[] | null>(null);
  return (
    <section aria-labelledby="second-factor">
      <Stack>
        <Title order={2} size="h4" id="second-factor">
          Second factor
        </Title>
        {codes ? (
          <ShownOnce secret={codes.join("\n")} label="Copy the recovery codes">
            Keep this list of recovery codes somewhere other than your phone. Each stands in for a code from the app,
            once.
          </ShownOnce>
        ) : null}
        {on ? <TakeAway onDone={() => setCodes(null)} /> : null}
        {on || codes ? null : <SetUp onCodes={setCodes} />}
      </Stack>
    </section>
  );
}

function SetUp({ onCodes }: { onCodes: (codes: string[]) => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const begin = useAction({
    run: () => data(api.POST("/api/me/totp", { body: { password } })),
    onDone: () => setPassword(""),
    quiet: true,
  });
  const confirm = useAction({
    run: () => data(api.POST("/api/me/totp/confirm", { body: { code: code.trim() } })),
    done: "The second factor is on.",
    changes: [["me"]],
    onDone: (answer: Schemas["RecoveryCodes"]) => onCodes(answer.recovery_codes),
    quiet: true,
  });
  return (
    <Form
      onSubmit={() => (begin.data ? confirm.mutate() : begin.mutate())}
      action={begin.data ? "Switch it on" : "Set it up"}
      main={false}
      pending={begin.isPending || confirm.isPending}
      error={confirm.error ?? begin.error}
    >
      {begin.data ? (
        <>
          <Text size="sm">
            Scan this with your authenticator app, and enter the code that the app shows. On the phone itself:{" "}
            <Anchor href={begin.data.url}>Open in an authenticator app</Anchor>
          </Text>
          <Suspense fallback={<div className="qr-code" />}>
            <QrCode text={begin.data.url} label="QR code of the secret for an authenticator app" />
          </Suspense>
          <Text size="sm">Or type in, or copy, the secret:</Text>
          <Command text={begin.data.secret} label="Copy the secret" />
          <TextField
            name="code"
            label="First code"
            inputMode="numeric"
            autoComplete="one-time-code"
            required
            value={code}
            onSet={setCode}
          />
        </>
      ) : (
        <>
          <Text size="sm" c="dimmed">
            With it, signing in also needs a code from your authenticator app.
          </Text>
          <PasswordField name="password" label="Your password" value={password} onSet={setPassword} />
        </>
      )}
    </Form>
  );
}

function TakeAway({ onDone }: { onDone: () => void }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const remove = useAction({
    run: () => data(api.DELETE("/api/me/totp", { body: { password, code: code.trim() } })),
    done: "The second factor is off.",
    changes: [["me"]],
    onDone,
    quiet: true,
  });
  return (
    <Form
      onSubmit={() => remove.mutate()}
      action="Switch it off"
      main={false}
      pending={remove.isPending}
      error={remove.error}
    >
      <Text size="sm">It is on: signing in needs a code from your authenticator app.</Text>
      <PasswordField name="password" label="Your password" value={password} onSet={setPassword} />
      <TextField
        name="code"
        label="Code"
        description="From the app, or a recovery code."
        autoComplete="one-time-code"
        required
        value={code}
        onSet={setCode}
      />
    </Form>
  );
}
