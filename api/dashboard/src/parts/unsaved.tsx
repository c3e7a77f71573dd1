// Asks before somebody goes from what they changed and have not saved, which is lost then.
import { Text } from "@mantine/core";
import { useBlocker } from "@tanstack/react-router";
import { useEffect, useId } from "react";
import { hasEnded } from "../api/session";
import { count } from "./amounts";
import { Dialog } from "./dialog";

/** How many changes each form of the page has, by the form; one of them asks for all. */
const forms = new Map<string, number>();

export function Unsaved({ changes }: { changes: number }) {
  const me = useId();
  useEffect(() => {
    if (changes > 0) forms.set(me, changes);
    return () => {
      forms.delete(me);
    };
  }, [me, changes]);
  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) => addressOf(current) !== addressOf(next) && [...forms.keys()][0] === me,
    disabled: changes === 0,
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
      <Text size="sm">
        {count(
          [...forms.values()].reduce((sum, one) => sum + one, 0),
          "change",
        )}{" "}
        on this page would be lost.
      </Text>
    </Dialog>
  );
}

/** Another organisation, which is said behind the path, is another page as well. */
function addressOf({ pathname, search }: { pathname: string; search: unknown }): string {
  return pathname + JSON.stringify(search);
}
