// A field that searches in what is shown. The key / leads to it, where it is of all that the screen shows.
import { Kbd, TextInput, type TextInputProps } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";
import { useSingleKeys } from "./keys";

/** How long somebody may type before the API is asked. */
const SETTLED_MS = 250;

interface SearchFieldProps extends Omit<TextInputProps, "value" | "onChange" | "label"> {
  label: string;
  value: string;
  onSet: (value: string) => void;
  /** Whether it is of one section of the screen among others, and leaves the key to what leads anywhere. */
  aside?: boolean;
}

export function SearchField({ label, value, onSet, aside = false, ...more }: SearchFieldProps) {
  const [keys] = useSingleKeys();
  return (
    <TextInput
      type="search"
      data-slash={aside ? undefined : true}
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} />}
      rightSection={keys && !aside ? <Kbd size="xs">/</Kbd> : null}
      {...more}
      value={value}
      onChange={(event) => onSet(event.currentTarget.value)}
    />
  );
}

/** The same for a list that the API searches: the field, and what was typed once it has settled. */
export function useSearch(label: string, aside = false) {
  const [search, setSearch] = useState("");
  const [settled] = useDebouncedValue(search.trim(), SETTLED_MS);
  return { settled, field: <SearchField label={label} value={search} onSet={setSearch} aside={aside} /> };
}
