// The state of an app or a deployment as a badge: always in words, never by colour alone.
import { Badge } from "@mantine/core";
import type { Schemas } from "../api/client";

const COLOURS: Record<string, string> = {
  running: "green",
  succeeded: "green",
  deployed: "green",
  active: "green",
  ready: "green",
  ok: "green",
  building: "blue",
  packaging: "blue",
  releasing: "blue",
  deploying: "blue",
  starting: "blue",
  failed: "red",
  down: "red",
  crashed: "red",
  critical: "red",
  suspended: "yellow",
  pending: "yellow",
  deleting: "yellow",
  warning: "yellow",
};

type State = Schemas["AppStatus"] | Schemas["DeploymentStatus"] | Schemas["DomainStatus"] | (string & {});

const WORDS: Record<string, string> = { inactive: "no release", succeeded: "live once" };

/** What a state is called where people read it. */
export const stateWords = (of: State) => WORDS[of] ?? of;

export function Status({ of, words }: { of: State; words?: string }) {
  return (
    <Badge variant="light" radius="sm" tt="none" color={COLOURS[of] ?? "gray"} data-status={of}>
      {words ?? stateWords(of)}
    </Badge>
  );
}
