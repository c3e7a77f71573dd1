// E-mail address, password, and the second factor where the account has one.
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api, data } from "../api/client";
import { Problem } from "../api/problem";
import { signedIn } from "../api/session";
import { TextField } from "../parts/fields";
import { Form } from "../parts/form";
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
      signedIn();
      onDone();
    },
    onError: (error) => {
      if (error instanceof Problem && error.code === "SECOND_FACTOR_REQUIRED") setAsksCode(true);
    },
  });

  useEffect(() => {
    if (asksCode) codeField.current?.focus();
  }, [asksCode]);

  const wanted = login.error instanceof Problem && login.error.code === "SECOND_FACTOR_REQUIRED";

  return (
    <Form
      onSubmit={() => login.mutate()}
      action="Sign in"
      wide
      pending={login.isPending}
      error={wanted ? null : login.error}
    >
      <TextField
        label="E-mail address"
        name="email"
        type="email"
        autoComplete="username"
        required
        readOnly={known !== undefined}
        data-autofocus={known === undefined || undefined}
        value={email}
        onSet={setEmail}
      />
      <PasswordField
        label="Password"
        name="password"
        data-autofocus={known !== undefined || undefined}
        value={password}
        onSet={setPassword}
      />
      {asksCode ? (
        <TextField
          ref={codeField}
          label="Code"
          name="code"
          description="From your authenticator app, or a recovery code."
          autoComplete="one-time-code"
          inputMode="numeric"
          required
          value={code}
          onSet={setCode}
        />
      ) : null}
    </Form>
  );
}
