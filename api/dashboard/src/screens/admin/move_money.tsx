// A movement of an organisation's wallet by an admin: a top-up, a refund, or an adjustment.
import { NativeSelect, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { Problem } from "../../api/problem";
import { useAction } from "../../parts/action";
import { money } from "../../parts/amounts";
import { Dialog } from "../../parts/dialog";

type Kind = Schemas["WantedMovement"]["kind"];
const KINDS: { value: Kind; label: string; action: string; more: string }[] = [
  {
    value: "top_up",
    label: "Top-up",
    action: "Top up",
    more: "Money that came in. Apps that the empty wallet holds go on.",
  },
  { value: "refund", label: "Refund", action: "Refund", more: "Something charged that is given back." },
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
    done: (answer: Schemas["MovementAnswer"]) => `The balance is ${money(answer.entry.balance_after, 2)} now.`,
    changes: [["admin"], ["organizations", of.id]],
    onDone: onClose,
    quiet: true,
  });
  const fields = move.error instanceof Problem ? move.error.fields : {};
  const chosen = KINDS.find(({ value }) => value === kind);
  const sign = kind === "adjustment" ? "-?" : "";
  return (
    <Dialog
      title={`Wallet of ${of.name}`}
      onClose={onClose}
      onSubmit={() => move.mutate()}
      action={chosen?.action ?? ""}
      pending={move.isPending}
      error={Object.keys(fields).length === 0 ? move.error : null}
    >
      <NativeSelect
        label="Kind"
        data={KINDS.map(({ value, label }) => ({ value, label }))}
        description={chosen?.more}
        value={kind}
        onChange={(event) => setKind(event.currentTarget.value as Kind)}
      />
      <TextInput
        label="Amount in dollars"
        required
        inputMode="decimal"
        pattern={`${sign}[0-9]+(\\.[0-9]+)?`}
        data-autofocus
        error={fields.amount}
        value={amount}
        onChange={(event) => setAmount(event.currentTarget.value)}
      />
      <TextInput
        label="Reference of the payment"
        description="One reference is credited once only, so that nothing is credited twice."
        required={kind !== "adjustment"}
        error={fields.reference}
        value={reference}
        onChange={(event) => setReference(event.currentTarget.value)}
      />
      <TextInput
        label="Note"
        value={note}
        error={fields.note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      {kind === "adjustment" ? (
        <Text size="sm" c="dimmed">
          With less than nothing in the wallet, its apps are suspended.
        </Text>
      ) : null}
    </Dialog>
  );
}
