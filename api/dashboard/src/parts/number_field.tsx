// A field of a form for a whole number.
import { NumberInput, type NumberInputProps } from "@mantine/core";
import type { Field } from "./fields";
import { useReason } from "./form";

/** Null while the field is empty. */
export function NumberField({ value, onSet, ...more }: Field<NumberInputProps, number | null>) {
  return (
    <NumberInput
      {...more}
      allowDecimal={false}
      error={useReason(more.name)}
      value={value ?? ""}
      onChange={(given) => onSet(given === "" ? null : Number(given))}
    />
  );
}
