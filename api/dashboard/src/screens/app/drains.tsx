// Where the app's log is forwarded to, and whether it gets there.
import { Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { drainsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { TextField } from "../../parts/fields";
import { Form } from "../../parts/form";
import { Loaded } from "../../parts/loading";
import { Status } from "../../parts/status";
import { Sure } from "../../parts/sure";
import { Ago } from "../../parts/time";

export function Drains({ slug, may }: { slug: string; may: boolean }) {
  const drains = useQuery(drainsQuery(slug));
  const [url, setUrl] = useState("");
  const add = useAction({
    run: () =>
      data(api.POST("/api/paas/apps/{app}/drains", { params: { path: { app: slug } }, body: { url: url.trim() } })),
    done: (made: Schemas["LogDrainItem"]) => `What the app writes from now on is forwarded to ${made.address}.`,
    changes: [["app", slug, "drains"]],
    onDone: () => setUrl(""),
    quiet: true,
  });
  return (
    <section aria-labelledby="drains">
      <Stack gap="sm">
        <Title order={2} size="h4" id="drains">
          Log drains
        </Title>
        <Text size="sm" c="dimmed">
          Each forwards the lines of the app's log, as they are written, to where you keep the logs of everything.
        </Text>
        {may ? (
          <Form
            row
            onSubmit={() => add.mutate()}
            action="Add a drain"
            main={false}
            pending={add.isPending}
            error={add.error}
          >
            <TextField
              name="url"
              className="grow"
              label="Address"
              placeholder="syslog+tls://logs.example.com:6514"
              title="syslog://host:port, syslog+tls://host:port or https://[user:password@]host/path"
              required
              autoComplete="off"
              value={url}
              onSet={setUrl}
            />
          </Form>
        ) : null}
        <Loaded query={drains} lines={1}>
          {(drains) =>
            drains.length === 0 ? (
              <Text c="dimmed">No drain yet.</Text>
            ) : (
              <ul className="plain-list rows" aria-label="Log drains">
                {drains.map((one) => (
                  <Drain key={one.id} slug={slug} of={one} may={may} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Stack>
    </section>
  );
}

function Drain({ slug, of, may }: { slug: string; of: Schemas["LogDrainItem"]; may: boolean }) {
  const remove = useAction({
    run: () =>
      data(api.DELETE("/api/paas/apps/{app}/drains/{drain}", { params: { path: { app: slug, drain: of.id } } })),
    done: `Nothing more is forwarded to ${of.address}.`,
    changes: [["app", slug, "drains"]],
    quiet: true,
  });
  return (
    <li>
      <div className="grow">
        <Text className="mono break">{of.address}</Text>
        <Text size="sm" c="dimmed" className="break">
          added <Ago at={of.created_at} />
          {of.failing_since ? (
            <>
              {" · nothing gets there; that began "}
              <Ago at={of.failing_since} />
            </>
          ) : null}
        </Text>
        {of.last_error ? (
          <Text size="sm" c="red" className="break">
            {of.last_error}
          </Text>
        ) : null}
      </div>
      <Status of={of.failing_since ? "failed" : "ok"} words={of.failing_since ? "failing" : "ok"} />
      {may ? (
        <Sure
          label="Remove"
          of={`Remove the drain to ${of.address}`}
          title={`Stop forwarding to ${of.address}?`}
          action="Remove"
          does={remove}
        >
          Lines that it has not taken yet no longer get there. The app's own log stays.
        </Sure>
      ) : null}
    </li>
  );
}
