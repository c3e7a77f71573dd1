// Tokens by which programs call the API for their owner.
import { Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { tokensQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { ChoiceField, TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Loaded } from "../../parts/loading";
import { ShownOnce } from "../../parts/shown_once";
import { Sure } from "../../parts/sure";
import { Ago } from "../../parts/time";

const SCOPES: { value: Schemas["Scope"]; label: string }[] = [
  { value: "read", label: "read: looks" },
  { value: "deploy", label: "deploy: also deploys, configures, scales" },
  { value: "manage", label: "manage: whatever you may do" },
];
const DAYS = ["7", "30", "90", "365"];

export function Tokens() {
  const tokens = useQuery(tokensQuery);
  return (
    <section aria-labelledby="tokens">
      <Stack>
        <Title order={2} size="h4" id="tokens">
          API tokens
        </Title>
        <Make />
        <Loaded query={tokens} lines={1}>
          {(tokens) =>
            tokens.length === 0 ? (
              <Text c="dimmed">No token yet. Programs need one to call the API.</Text>
            ) : (
              <ul className="plain-list rows" aria-label="API tokens">
                {tokens.map((token) => (
                  <Row key={token.id} of={token} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Stack>
    </section>
  );
}

function Make() {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Schemas["Scope"]>("deploy");
  const [days, setDays] = useState("90");
  const make = useAction({
    run: () =>
      data(api.POST("/api/me/tokens", { body: { name: name.trim(), scope, expires_in_days: Number(days) || null } })),
    changes: [["tokens"]],
    onDone: () => setName(""),
    quiet: true,
  });
  return (
    <Stack gap="sm">
      <Form
        row
        onSubmit={() => make.mutate()}
        action="Make a token"
        main={false}
        pending={make.isPending}
        error={make.error}
      >
        <TextField
          name="name"
          className="grow"
          label="What it is for"
          required
          maxLength={100}
          value={name}
          onSet={setName}
        />
        <ChoiceField name="scope" label="Scope" data={SCOPES} value={scope} onSet={setScope} />
        <ChoiceField
          name="expires_in_days"
          label="Ends after"
          data={[...DAYS.map((value) => ({ value, label: `${value} days` })), { value: "", label: "never" }]}
          value={days}
          onSet={setDays}
        />
      </Form>
      {make.data ? (
        <ShownOnce secret={make.data.token} label="Copy the token">
          This is the token.
        </ShownOnce>
      ) : null}
    </Stack>
  );
}

function Row({ of }: { of: Schemas["TokenItem"] }) {
  const revoke = useAction({
    run: () => data(api.DELETE("/api/me/tokens/{id}", { params: { path: { id: of.id } } })),
    done: `The token "${of.name}" no longer works.`,
    changes: [["tokens"]],
    quiet: true,
  });
  return (
    <li>
      <div className="grow">
        <Text fw={600} className="break">
          {of.name}
        </Text>
        <Text size="sm" c="dimmed">
          <span className="mono">{of.prefix}…</span> · {of.scope} ·{" "}
          {of.last_used_at ? (
            <>
              used <Ago at={of.last_used_at} />
            </>
          ) : (
            "never used"
          )}
          {of.expires_at ? (
            <>
              {" "}
              · ends <Ago at={of.expires_at} />
            </>
          ) : null}
        </Text>
      </div>
      <Sure
        label="Revoke"
        of={`Revoke the token ${of.name}`}
        title={`Revoke the token "${of.name}"?`}
        action="Revoke"
        does={revoke}
      >
        Programs that use it are refused from now on. It cannot be brought back: they need another.
      </Sure>
    </li>
  );
}
