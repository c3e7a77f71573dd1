// Changes that were made, newest first: who, what, and from where.
import { Stack, Text } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import type { Schemas } from "../api/client";
import type { adminAuditQuery } from "../api/queries";
import { changeWords } from "./audit_words";
import { type Column, LongTable } from "./long_table";
import { Paged } from "./paged";
import { useSearch } from "./search_field";
import { Ago } from "./time";

const COLUMNS: Column<Schemas["AuditItem"]>[] = [
  { head: "When", width: "14%", cell: (one) => <Ago at={one.occurred_at} /> },
  { head: "Who", className: "break", cell: (one) => one.actor ?? "the platform" },
  { head: "What", width: "17%", cell: (one) => <code>{one.action}</code> },
  { head: "Of what", className: "break", width: "40%", cell: (one) => <What of={one} /> },
  { head: "From", className: "wide", cell: (one) => [one.via, one.address].filter(Boolean).join(", ") },
];

/** What is known by nothing else, such as a session, is told by its kind. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function What({ of }: { of: Schemas["AuditItem"] }) {
  const words = changeWords(of.before, of.after);
  return (
    <>
      {of.target_kind} <span title={of.target}>{of.target_name ?? (ID.test(of.target) ? "" : of.target)}</span>
      {words ? (
        <Text size="xs" c="dimmed" className="break">
          {words}
        </Text>
      ) : null}
    </>
  );
}

interface AuditLogProps {
  /** Makes the query of the lines whose action is this, or begins so. */
  of: (action: string) => ReturnType<typeof adminAuditQuery>;
  /** Whether it is one section of a screen among others. */
  aside?: boolean;
}

export function AuditLog({ of, aside = false }: AuditLogProps) {
  const { settled, field } = useSearch("Action, such as app.scale, or app. for all that begin with it", aside);
  const audit = useInfiniteQuery({ ...of(settled), placeholderData: keepPreviousData });
  return (
    <Stack gap="sm">
      {field}
      <Paged query={audit} empty="Nothing of that kind was done.">
        {(lines) => <LongTable label="Audit log" columns={COLUMNS} rows={lines} rowKey={(one) => one.id} stacks />}
      </Paged>
    </Stack>
  );
}
