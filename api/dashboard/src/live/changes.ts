// One connection per tab on which the API tells what changes. What a change is about is read again where it is shown.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Connection, follow } from "../api/sse";
import { type Change, gather } from "./gather";

/** Keeps everything that is shown up to date for as long as it is mounted; how the connection stands. */
export function useChanges(): Connection {
  const cache = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    const gathered = gather(cache);
    const stop = follow("/api/paas/events/stream", {
      // Every try begins anew; somebody looking sees one loss.
      onConnection: (now) => setConnection((before) => (now === "connecting" && before === "lost" ? before : now)),
      onEvent: ({ name, data }) => {
        if (name === "change") gathered.add(JSON.parse(data) as Change);
        else gathered.everything();
      },
    });
    return () => {
      stop();
      gathered.stop();
    };
  }, [cache]);
  return connection;
}
