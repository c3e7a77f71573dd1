// A table of any number of rows: of a long one only the rows near the window are in the page.
import { Table } from "@mantine/core";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { WideTable } from "./wide_table";

export interface Column<T> {
  head: string;
  /** `wide` is left out on a phone, `numeric` stands at the end. */
  className?: string;
  /** Its share where the table is long, whose columns must not move while it scrolls. */
  width?: string;
  cell: (row: T) => ReactNode;
}

interface LongTableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string | number;
  /** Whether what a row says stands below each other on a phone; its cells must then say by themselves what they are. */
  stacks?: boolean;
}

/** From so many rows on it is long. */
const LONG = 100;
const ROW_PX = 49;

export function LongTable<T>({ label, columns, rows, rowKey, stacks = false }: LongTableProps<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  const long = rows.length > LONG;
  useLayoutEffect(() => {
    if (body.current) setTop(body.current.getBoundingClientRect().top + window.scrollY);
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    overscan: 15,
    scrollMargin: top,
    enabled: long,
  });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0], items.at(-1)];
  const shown = long ? items.map(({ index }) => index) : rows.map((_, index) => index);
  return (
    <WideTable
      label={label}
      className={stacks ? "stacks" : ""}
      verticalSpacing="sm"
      highlightOnHover
      layout={long ? "fixed" : "auto"}
      aria-rowcount={rows.length + 1}
    >
      <Table.Thead>
        <Table.Tr aria-rowindex={1}>
          {columns.map(({ head, className, width }) => (
            <Table.Th key={head} className={className} style={long && width ? { width } : undefined}>
              {head}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody ref={body}>
        {long && first ? <Gap pixels={first.start - top} /> : null}
        {shown.map((index) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <Row
              key={rowKey(row)}
              row={row}
              columns={columns}
              index={index}
              measure={long ? virtual.measureElement : undefined}
            />
          );
        })}
        {long && last ? <Gap pixels={virtual.getTotalSize() - (last.end - top)} /> : null}
      </Table.Tbody>
    </WideTable>
  );
}

interface RowProps<T> {
  row: T;
  columns: readonly Column<T>[];
  index: number;
  measure: ((row: HTMLTableRowElement | null) => void) | undefined;
}

/** While somebody scrolls, only what comes into sight is made. */
const Row = memo(function Row<T>({ row, columns, index, measure }: RowProps<T>) {
  return (
    <Table.Tr aria-rowindex={index + 2} data-index={index} ref={measure}>
      {columns.map(({ head, className, cell }) => (
        <Table.Td key={head} className={className}>
          {cell(row)}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

/** In place of rows that are out of sight. One cell: several would be columns that a phone leaves out. */
function Gap({ pixels }: { pixels: number }) {
  if (pixels <= 0) return null;
  return (
    <tr>
      <td style={{ height: pixels, padding: 0 }} />
    </tr>
  );
}
