// A movement of an organisation's wallet by an admin: a top-up, a refund, or an adjustment.
import { Text } from "@mantine/core";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { useAction } from "../../parts/action";
import { cents } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";
import { ChoiceField, TextField } from "../../parts/fields";

type Kind = Schemas["WantedMovement"]["kind"];
const KINDS: { value: Kind; label: string; action: string; more: string }[] = [
  {
    value: "top_up",
    label: "Top-up",
    action: "Top up",
    more: "Money that came in. Apps that the empty wallet holds go on.",
  },
  { value: "refund", label: "Refund", action: "Refund", more: "A charge that is given back." },
  {
    value: "adjustment",
    label: "Adjustment",
    action: "Adjust",
    more: "Any other correction; below zero it takes away.",
  },
];

interface MoveMoneyProps {
  of: { id: string; name: string };
  onClose: () => void;
}

export function MoveMoney({ of, onClose }: MoveMoneyProps) {
  const [kind, setKind] = useState<Kind>("top_up");
  const [amount, setAmount] = useState("");
  const [reference, setReference] = useState("");
  const [note, setNote] = useState("");
  const move = useAction({
    run: () =>
      data(
        api.POST("/api/admin/paas/organizations/{organization}/ledger", {
          params: { path: { organization: of.id } },
          body: { kind, amount: amount.trim(), reference: reference.trim() || null, note: note.trim() || null },
        }),
      ),
    done: (answer: Schemas["MovementAnswer"]) => `The balance is ${cents(answer.entry.balance_after)} now.`,
    changes: [["admin"], ["organizations", of.id]],
    onDone: onClose,
    quiet: true,
  });
  const chosen = KINDS.find(({ value }) => value === kind);
  const sign = kind === "adjustment" ? "-?" : "";
  return (
    <Dialog
      title={`Wallet of ${of.name}`}
      onClose={onClose}
      onSubmit={() => move.mutate()}
      action={chosen?.action ?? ""}
      pending={move.isPending}
      error={move.error}
    >
      <ChoiceField
        name="kind"
        label="Kind"
        data={KINDS.map(({ value, label }) => ({ value, label }))}
        description={chosen?.more}
        value={kind}
        onSet={setKind}
      />
      <TextField
        name="amount"
        label="Amount in dollars"
        required
        inputMode="decimal"
        pattern={`${sign}[0-9]+(\\.[0-9]+)?`}
        data-autofocus
        value={amount}
        onSet={setAmount}
      />
      <TextField
        name="reference"
        label="Reference of the payment"
        description="A reference is credited only once, so that no payment counts twice."
        required={kind !== "adjustment"}
        value={reference}
        onSet={setReference}
      />
      <TextField name="note" label="Note" value={note} onSet={setNote} />
      {kind === "adjustment" ? (
        <Text size="sm" c="dimmed">
          If the balance falls below zero, its apps are suspended.
        </Text>
      ) : null}
    </Dialog>
  );
}
