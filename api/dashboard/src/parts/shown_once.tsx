// A secret that the API tells only now, to be copied.
import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Command } from "./command";

interface ShownOnceProps {
  secret: string;
  /** What the button says that copies it. */
  label: string;
  /** What it is, and what it is for. */
  children: ReactNode;
}

export function ShownOnce({ secret, label, children }: ShownOnceProps) {
  return (
    <div className="save-bar">
      <Text size="sm">{children} It is shown only once.</Text>
      <Command text={secret} label={label} />
    </div>
  );
}
