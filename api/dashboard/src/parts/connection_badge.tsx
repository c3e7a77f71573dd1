// How the connection stands over which lines come by themselves.
import { Badge } from "@mantine/core";
import type { Connection } from "../api/sse";

export function ConnectionBadge({ of }: { of: Connection | "ended" }) {
  const [colour, words] = {
    live: ["green", "live"],
    connecting: ["gray", "connecting"],
    lost: ["yellow", "connecting again"],
    ended: ["gray", "complete"],
  }[of] as [string, string];
  return (
    <Badge variant="light" color={colour} tt="none" radius="sm" role="status" data-connection={of}>
      {words}
    </Badge>
  );
}
