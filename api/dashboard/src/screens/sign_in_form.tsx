// E-mail address, password, and the second factor where the account has one.
import { Button, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { api, data } from "../api/client";
import { Problem } from "../api/problem";
import { setSession } from "../api/session";
import { Refused } from "../parts/loading";
import { PasswordField } from "../parts/password_field";

export function SignInForm({ email: known, onDone }: { email?: string; onDone: () => void }) {
  const [email, setEmail] = useState(known ?? "");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asksCode, setAsksCode] = useState(false);
  const codeField = useRef<HTMLInputElement>(null);

  const login = useMutation({
    mutationFn: () =>
      data(api.POST("/api/auth/login", { body: { email: email.trim(), password, code: code.trim() || null } })),
    onSuccess: () => {
      setSession("open");
      onDone();
    },
    onError: (error) => {
      if (error instanceof Problem && error.code === "SECOND_FACTOR_REQUIRED") setAsksCode(true);
    },
  });

  useEffect(() => {
    if (asksCode) codeField.current?.focus();
  }, [asksCode]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    login.mutate();
  };
  const wanted = login.error instanceof Problem && login.error.code === "SECOND_FACTOR_REQUIRED";

  return (
    <form onSubmit={submit}>
      <Stack>
        {wanted ? null : <Refused error={login.error} />}
        <TextInput
          label="E-mail address"
          name="email"
          type="email"
          autoComplete="username"
          required
          readOnly={known !== undefined}
          data-autofocus={known === undefined || undefined}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <PasswordField
          label="Password"
          name="password"
          data-autofocus={known !== undefined || undefined}
          value={password}
          onSet={setPassword}
        />
        {asksCode ? (
          <TextInput
            ref={codeField}
            label="Code"
            name="code"
            description="Of your authenticator app, or a recovery code."
            autoComplete="one-time-code"
            inputMode="numeric"
            required
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
          />
        ) : null}
        <Button type="submit" loading={login.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
