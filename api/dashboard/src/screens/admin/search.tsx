// A search field above a list that the API searches.
import { Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

const SETTLED_MS = 250;

export function useSearch(label: string) {
  const [search, setSearch] = useState("");
  const [settled] = useDebouncedValue(search.trim(), SETTLED_MS);
  const field = (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={label}
      leftSection={<IconSearch size={16} />}
      value={search}
      onChange={(event) => setSearch(event.currentTarget.value)}
    />
  );
  return { settled, field };
}

/** Under a list of which only the first page is shown. */
export function More({ than, cursor }: { than: number; cursor?: string | null | undefined }) {
  if (!cursor) return null;
  return (
    <Text size="sm" c="dimmed" mt="sm">
      These are the first {than}. Search for the others.
    </Text>
  );
}
