// The three states of whatever is read: not there yet, not to be had, and there.
import { Alert, Button, Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { isSessionEnd, Problem, words } from "../api/problem";

export function Loaded<T>({
  query,
  lines = 4,
  children,
}: {
  query: UseQueryResult<T>;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  // What is known stays on the screen while it cannot be read again.
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.isError) return <Failed error={query.error} retry={() => void query.refetch()} />;
  return <Waiting lines={lines} />;
}

export function Waiting({ lines = 4 }: { lines?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <Skeleton key={line} height={line === 0 ? 28 : 44} width={line === 0 ? "40%" : "100%"} />
      ))}
    </Stack>
  );
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Alert color="red" title="This could not be loaded" role="alert">
      <Stack gap="sm" align="start">
        <span>{words(error)}</span>
        <Traced error={error} />
        {retry ? (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        ) : null}
      </Stack>
    </Alert>
  );
}

/** What went wrong with an action, beside the button that began it. */
export function Refused({ error }: { error: unknown }) {
  if (!error || isSessionEnd(error)) return null;
  return (
    <Alert color="red" role="alert" p="sm" className="break">
      {words(error)}
      <Traced error={error} />
    </Alert>
  );
}

/** By what an admin finds why Skypanel itself failed. */
function Traced({ error }: { error: unknown }) {
  if (!(error instanceof Problem) || !error.requestId || error.status < 500) return null;
  return <div className="mono">Request {error.requestId}: Skypanel's log says more under it.</div>;
}
