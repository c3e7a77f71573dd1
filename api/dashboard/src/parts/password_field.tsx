// A field for a password: one that is known, or one that is chosen.
import { PasswordInput, type PasswordInputProps } from "@mantine/core";
import { useReason } from "./form";

/** Fewest characters of a password that is chosen. */
const SHORTEST = 12;

interface PasswordFieldProps extends Omit<PasswordInputProps, "name" | "value" | "onChange" | "label" | "error"> {
  label: string;
  name: string;
  /** Whether it is chosen here. */
  isNew?: boolean;
  value: string;
  onSet: (value: string) => void;
}

export function PasswordField({ label, isNew = false, onSet, ...more }: PasswordFieldProps) {
  return (
    <PasswordInput
      label={label}
      required
      autoComplete={isNew ? "new-password" : "current-password"}
      visibilityToggleButtonProps={{ "aria-label": `Show: ${label}` }}
      {...(isNew ? { minLength: SHORTEST, description: `${SHORTEST} characters or more.` } : {})}
      {...more}
      error={useReason(more.name)}
      onChange={(event) => onSet(event.currentTarget.value)}
    />
  );
}
