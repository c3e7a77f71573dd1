// The one way of making a form, on a screen and in a dialog. What the API refuses is told at the field at fault, where the
// form has that field, and above its buttons otherwise; whoever works with keys is led to where they go on.
import { Button, Group, Stack } from "@mantine/core";
import { createContext, type ReactNode, useContext, useEffect, useRef } from "react";
import { Problem } from "../api/problem";
import { Refused } from "./loading";

const NONE: Record<string, string> = {};
const Reasons = createContext(NONE);

/** Why the API refused what the field of this name holds, if it did. */
export function useReason(name: string): string | undefined {
  return useContext(Reasons)[name];
}

interface FormBodyProps {
  onSubmit: () => void;
  pending?: boolean | undefined;
  error?: unknown;
  label?: string | undefined;
  /** Is given what was refused and is told at no field. */
  children: (rest: unknown) => ReactNode;
}

/** A form without a layout of its own. */
export function FormBody({ onSubmit, pending = false, error, label, children }: FormBodyProps) {
  const form = useRef<HTMLFormElement>(null);
  const sent = useRef(false);
  const reasons = error instanceof Problem ? error.fields : NONE;
  const names = Object.keys(reasons);
  const isTold = names.length > 0 && names.every((name) => form.current?.elements.namedItem(name));

  useEffect(() => {
    const of = form.current;
    const wasSent = sent.current;
    sent.current = pending;
    if (pending || !wasSent || !of) return;
    const wrong = of.querySelector<HTMLElement>("[aria-invalid=true]");
    // A button that is busy loses the focus.
    if (wrong) wrong.focus();
    else if (document.activeElement === document.body) of.querySelector<HTMLElement>("[type=submit]")?.focus();
  }, [pending]);

  return (
    <form
      ref={form}
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        // A dialog's form stands outside of a form in the page, and yet within it.
        event.stopPropagation();
        if (!pending) onSubmit();
      }}
    >
      <Reasons value={reasons}>{children(isTold ? null : error)}</Reasons>
    </form>
  );
}

interface FormProps extends Omit<FormBodyProps, "children"> {
  /** What the button says that sends it; there is none for those who may only look. */
  action?: string | undefined;
  /** Whether it is the main thing on its screen. */
  main?: boolean;
  /** Whether its fields and its button stand beside each other, where there is room. */
  row?: boolean;
  /** Whether the button is as wide as the form. */
  wide?: boolean;
  /** Buttons beside the one that sends. */
  more?: ReactNode;
  children: ReactNode;
}

export function Form({ action, main = true, row = false, wide = false, more, children, ...body }: FormProps) {
  const buttons = (
    <>
      {action ? (
        <Button type="submit" variant={main ? "filled" : "default"} fullWidth={wide} loading={body.pending}>
          {action}
        </Button>
      ) : null}
      {more}
    </>
  );
  return (
    <FormBody {...body}>
      {(rest) => (
        <Stack gap="sm">
          {row ? (
            <div className="form-row">
              {children}
              {buttons}
            </div>
          ) : (
            children
          )}
          <Refused error={rest} />
          {row || !(action || more) ? null : <Group gap="xs">{buttons}</Group>}
        </Stack>
      )}
    </FormBody>
  );
}
