// What happened, newest first, in the platform's words.
import { Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { LinkTo } from "./link";
import { Ago } from "./time";

/** `apps` says of which app each is, where they are of several. */
export function Happened({ events, apps = false }: { events: Schemas["EventItem"][]; apps?: boolean }) {
  return (
    <ul className="plain-list rows">
      {events.map((one) => (
        <li key={one.id}>
          <span className="grow break">
            {apps && one.app ? (
              <>
                <LinkTo to="/apps/$app" params={{ app: one.app }}>
                  {one.app}
                </LinkTo>
                :{" "}
              </>
            ) : null}
            <bdi>{one.message}</bdi>
          </span>
          <Text size="sm" c="dimmed" className="break">
            {one.user ? `${one.user}, ` : ""}
            <Ago at={one.created_at} />
          </Text>
        </li>
      ))}
    </ul>
  );
}
