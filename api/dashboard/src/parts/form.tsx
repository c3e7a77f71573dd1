// A form on a screen: its fields, what was refused, and the button that sends it.
import { Button, Group, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { Refused } from "./loading";

interface FormProps {
  onSubmit: () => void;
  /** What the button says; there is none for those who may only look. */
  action?: string | undefined;
  /** Whether it is the main thing on its screen. */
  main?: boolean;
  pending?: boolean;
  error?: unknown;
  /** Buttons beside the one that sends. */
  more?: ReactNode;
  label?: string;
  children: ReactNode;
}

export function Form({ onSubmit, action, main = true, pending, error, more, label, children }: FormProps) {
  return (
    <form
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      <Stack gap="sm">
        {children}
        <Refused error={error} />
        {action ? (
          <Group gap="xs">
            <Button type="submit" variant={main ? "filled" : "default"} loading={pending}>
              {action}
            </Button>
            {more}
          </Group>
        ) : null}
      </Stack>
    </form>
  );
}
