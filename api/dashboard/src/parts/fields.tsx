// The fields of forms; those for numbers are apart, because they are large. Each has the name that the API knows it by, so that what is refused about it is told beside it.
import {
  NativeSelect,
  type NativeSelectProps,
  Textarea,
  type TextareaProps,
  TextInput,
  type TextInputProps,
} from "@mantine/core";
import { useReason } from "./form";

export type Field<P, V> = Omit<P, "name" | "value" | "onChange" | "error"> & {
  name: string;
  value: V;
  onSet: (value: V) => void;
};

export function TextField({ onSet, ...more }: Field<TextInputProps, string>) {
  return <TextInput {...more} error={useReason(more.name)} onChange={(event) => onSet(event.currentTarget.value)} />;
}

/** Several lines. */
export function LinesField({ onSet, ...more }: Field<TextareaProps, string>) {
  return <Textarea {...more} error={useReason(more.name)} onChange={(event) => onSet(event.currentTarget.value)} />;
}

export function ChoiceField<V extends string>({ onSet, ...more }: Field<NativeSelectProps, V>) {
  return (
    <NativeSelect {...more} error={useReason(more.name)} onChange={(event) => onSet(event.currentTarget.value as V)} />
  );
}
