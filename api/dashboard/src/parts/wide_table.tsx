// A table that scrolls by itself where the screen is narrower; with the keyboard, too.
import { Table, type TableProps } from "@mantine/core";
import { useRef } from "react";
import { useEnds } from "./ends";

export function WideTable({ label, className = "", ...table }: TableProps & { label: string }) {
  const box = useRef<HTMLElement>(null);
  useEnds(box);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reachable with the keyboard
    <section ref={box} className={`table-wrap ${className}`} aria-label={label} tabIndex={0}>
      <Table horizontalSpacing="md" {...table} />
    </section>
  );
}
