// The movements of an organisation's wallet, newest first: for its people, and for admins who look.
import { useInfiniteQuery } from "@tanstack/react-query";
import type { Schemas } from "../api/client";
import { ledgerQuery } from "../api/queries";
import { money } from "../parts/amounts";
import { type Column, LongTable } from "../parts/long_table";
import { Paged } from "../parts/paged";
import { Ago } from "../parts/time";

const COLUMNS: Column<Schemas["LedgerItem"]>[] = [
  { head: "When", cell: (one) => <Ago at={one.occurred_at} /> },
  {
    head: "What",
    className: "break",
    width: "45%",
    cell: (one) => [one.kind.replace("_", " "), one.app, one.reference, one.note].filter(Boolean).join(", "),
  },
  { head: "Amount", className: "numeric", cell: (one) => money(one.amount) },
  { head: "Balance after", className: "numeric wide", cell: (one) => money(one.balance_after) },
];

export function Ledger({ of }: { of: string }) {
  const ledger = useInfiniteQuery(ledgerQuery(of));
  return (
    <Paged query={ledger} empty="The wallet has not moved yet.">
      {(entries) => (
        <LongTable label="Movements of the wallet" columns={COLUMNS} rows={entries} rowKey={(one) => one.id} />
      )}
    </Paged>
  );
}
