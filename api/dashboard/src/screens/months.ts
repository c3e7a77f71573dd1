// The months whose usage can be looked at. They are those of UTC, as invoices are.

const MONTHS = 12;

/** This month and those before, such as 2026-11. */
export function months(now: Date): string[] {
  return Array.from({ length: MONTHS }, (_, back) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1)).toISOString().slice(0, 7),
  );
}
