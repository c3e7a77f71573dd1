// Adds a public key to the account: how a push is told whose it is.
import { useState } from "react";
import { api, data } from "../api/client";
import { useAction } from "./action";
import { Command } from "./command";
import { LinesField, TextField } from "./fields";
import { Form } from "./form";

/** Makes the key first where there is none. */
const SHOW_KEY = "cat ~/.ssh/id_ed25519.pub || { ssh-keygen -t ed25519 && cat ~/.ssh/id_ed25519.pub; }";

export function SshKeyForm() {
  const [key, setKey] = useState("");
  const [name, setName] = useState("");
  const add = useAction({
    run: () => data(api.POST("/api/me/ssh-keys", { body: { public_key: key.trim(), name: name.trim() || null } })),
    done: (added: { name: string }) => `The key "${added.name}" may push now.`,
    changes: [["ssh-keys"]],
    onDone: () => {
      setKey("");
      setName("");
    },
    quiet: true,
  });
  return (
    <Form onSubmit={() => add.mutate()} action="Add the key" pending={add.isPending} error={add.error}>
      <Command text={SHOW_KEY} label="Copy the command that shows your key" />
      <LinesField
        name="public_key"
        label="Public key"
        description="The line that the command above shows; it begins with ssh-ed25519 or another kind."
        required
        autosize={false}
        rows={3}
        classNames={{ input: "mono" }}
        value={key}
        onSet={setKey}
      />
      <TextField name="name" label="Name" description="Left empty: the key's comment." value={name} onSet={setName} />
    </Form>
  );
}
