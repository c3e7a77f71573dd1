// A button by which something is lost, so that it asks first.
import { Button, type ButtonProps, Text } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Dialog } from "./dialog";

interface SureProps extends Pick<ButtonProps, "size"> {
  /** What the button says, and to those who do not see where it stands. */
  label: string;
  of?: string;
  /** The question, and what the button says that goes on. */
  title: string;
  action: string;
  /** Quiet, because the question shows its problem. */
  does: UseMutationResult<unknown, Error, void>;
  /** What is lost. */
  children: ReactNode;
}

export function Sure({ label, of, title, action, does, size = "xs", children }: SureProps) {
  const [asked, setAsked] = useState(false);
  const close = () => {
    setAsked(false);
    does.reset();
  };
  return (
    <>
      <Button size={size} variant="default" aria-label={of} onClick={() => setAsked(true)}>
        {label}
      </Button>
      {asked ? (
        <Dialog
          title={title}
          onClose={close}
          onSubmit={() => does.mutate(undefined, { onSuccess: () => setAsked(false) })}
          action={action}
          danger
          pending={does.isPending}
          error={does.error}
        >
          <Text size="sm">{children}</Text>
        </Dialog>
      ) : null}
    </>
  );
}
