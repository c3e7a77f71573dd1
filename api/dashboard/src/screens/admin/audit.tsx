// Every change that was made, newest first.
import { Stack } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import type { Schemas } from "../../api/client";
import { adminAuditQuery } from "../../api/queries";
import { type Column, LongTable } from "../../parts/long_table";
import { Paged } from "../../parts/paged";
import { useSearch } from "../../parts/search_field";
import { Ago } from "../../parts/time";

const COLUMNS: Column<Schemas["AuditItem"]>[] = [
  { head: "When", width: "14%", cell: (one) => <Ago at={one.occurred_at} /> },
  { head: "Who", className: "break", cell: (one) => one.actor ?? "the platform" },
  { head: "What", className: "mono break", cell: (one) => one.action },
  { head: "Of what", className: "break", width: "30%", cell: (one) => `${one.target_kind} ${one.target}` },
  { head: "From", className: "wide", cell: (one) => [one.via, one.address].filter(Boolean).join(", ") },
];

export function AdminAudit() {
  const { settled, field } = useSearch("Action, such as app.scale; with a dot at its end, all that begin so");
  const audit = useInfiniteQuery({ ...adminAuditQuery(settled), placeholderData: keepPreviousData });
  return (
    <Stack gap="sm">
      {field}
      <Paged query={audit} empty="Nothing of that kind was done.">
        {(items) => <LongTable label="Audit log" columns={COLUMNS} rows={items} rowKey={(one) => one.id} stacks />}
      </Paged>
    </Stack>
  );
}
