// A list that the API gives page by page: what was read of it, and the way to the rest.
import { Button, Group, Text } from "@mantine/core";
import type { InfiniteData, UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { PageOf } from "../api/queries";
import { Failed, Waiting } from "./loading";

export interface PagedProps<T> {
  query: UseInfiniteQueryResult<InfiniteData<PageOf<T>>>;
  /** What is said in place of items, or shown. */
  empty: ReactNode;
  children: (items: T[]) => ReactNode;
}

export function Paged<T>({ query, empty, children }: PagedProps<T>) {
  if (query.data === undefined) {
    return query.isError ? <Failed error={query.error} retry={() => void query.refetch()} /> : <Waiting />;
  }
  const items = query.data.pages.flatMap((page) => page.items);
  if (items.length === 0) return typeof empty === "string" ? <Text c="dimmed">{empty}</Text> : empty;
  return (
    <>
      {children(items)}
      <ShowMore query={query} shown={items.length} />
    </>
  );
}

interface ShowMoreProps {
  query: Pick<UseInfiniteQueryResult, "hasNextPage" | "isFetchingNextPage" | "fetchNextPage">;
  /** How many items are shown. */
  shown: number;
}

/** The way to the next page, where there is one. */
export function ShowMore({ query, shown }: ShowMoreProps) {
  if (!query.hasNextPage) return null;
  return (
    <Group gap="sm" mt="sm">
      <Button variant="default" loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
        Show more
      </Button>
      <Text size="sm" c="dimmed">
        The first {shown} are shown.
      </Text>
    </Group>
  );
}
