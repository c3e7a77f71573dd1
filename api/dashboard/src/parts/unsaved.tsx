// Asks before somebody goes from what they changed and have not saved, which is lost then.
import { Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { hasEnded } from "../api/session";
import { count } from "./amounts";
import { Dialog } from "./dialog";

export function Unsaved({ changes }: { changes: number }) {
  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) => current.pathname !== next.pathname,
    // A page of somebody whose session is over must be able to go by itself.
    enableBeforeUnload: () => !hasEnded(),
    withResolver: true,
  });
  if (leaving.status !== "blocked") return null;
  return (
    <Dialog
      title="Go without saving?"
      onClose={leaving.reset}
      onSubmit={leaving.proceed}
      action="Go without saving"
      back="Stay"
      danger
    >
      <Text size="sm">{count(changes, "change")} on this page would be lost.</Text>
    </Dialog>
  );
}
