// A field that searches in what is shown, and that the key / leads to.
import { Kbd, TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useRef, useState } from "react";
import { useSingleHotkeys, useSingleKeys } from "./keys";

/** How long somebody may type before the API is asked. */
const SETTLED_MS = 250;

interface SearchFieldProps extends Omit<TextInputProps, "value" | "onChange" | "label"> {
  label: string;
  value: string;
  onSet: (value: string) => void;
}

export function SearchField({ label, value, onSet, ...more }: SearchFieldProps) {
  const field = useRef<HTMLInputElement>(null);
  const [keys] = useSingleKeys();
  useSingleHotkeys([["/", () => field.current?.focus()]]);
  return (
    <TextInput
      ref={field}
      type="search"
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} />}
      rightSection={keys ? <Kbd size="xs">/</Kbd> : null}
      {...more}
      value={value}
      onChange={(event) => onSet(event.currentTarget.value)}
    />
  );
}

/** The same for a list that the API searches: the field, and what was typed once it has settled. */
export function useSearch(label: string) {
  const [search, setSearch] = useState("");
  const [settled] = useDebouncedValue(search.trim(), SETTLED_MS);
  return { settled, field: <SearchField label={label} value={search} onSet={setSearch} /> };
}
