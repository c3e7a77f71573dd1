// The queue: what waits, what runs, what is put off, and what failed for good, which can be tried again.
import { Button, SegmentedControl, Stack, Text } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { adminJobsQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { LinkTo } from "../../parts/link";
import { Paged } from "../../parts/paged";
import { Status } from "../../parts/status";
import { Ago } from "../../parts/time";

type State = Schemas["QueuedJobState"];

const SHOWN: { value: State | ""; label: string; empty: string }[] = [
  { value: "", label: "All", empty: "The queue is empty: everything is done." },
  { value: "waiting", label: "Waiting", empty: "No job waits." },
  { value: "running", label: "Running", empty: "No job runs now." },
  { value: "later", label: "Later", empty: "No job is put off." },
  { value: "failed", label: "Failed", empty: "No job has failed for good." },
];
const COLOURS: Record<State, string> = { waiting: "pending", running: "building", later: "inactive", failed: "failed" };

export function AdminJobs() {
  const [state, setState] = useState<State | "">("");
  const jobs = useInfiniteQuery({ ...adminJobsQuery(state), placeholderData: keepPreviousData });
  return (
    <Stack gap="sm">
      <div className="scrolls">
        <SegmentedControl
          aria-label="Which jobs"
          data={SHOWN.map(({ value, label }) => ({ value, label }))}
          value={state}
          onChange={(value) => setState(value as State | "")}
        />
      </div>
      <Paged query={jobs} empty={SHOWN.find(({ value }) => value === state)?.empty ?? ""}>
        {(items) => (
          <ul className="plain-list rows" aria-label="Jobs">
            {items.map((one) => (
              <Row key={one.id} of={one} />
            ))}
          </ul>
        )}
      </Paged>
    </Stack>
  );
}

function Row({ of }: { of: Schemas["QueuedJobItem"] }) {
  const retry = useAction({
    run: () => data(api.POST("/api/admin/paas/jobs/{job}/retry", { params: { path: { job: of.id } } })),
    done: `Job ${of.id} is tried again.`,
    changes: [["admin"]],
  });
  return (
    <li>
      <div className="grow">
        <Text fw={600} className="break">
          {of.task.replaceAll("_", " ")}
          {of.app ? (
            <>
              {" of "}
              <LinkTo to="/apps/$app" params={{ app: of.app }}>
                {of.app}
              </LinkTo>
            </>
          ) : null}
        </Text>
        <Text size="sm" c="dimmed" className="break">
          {of.id} · queued <Ago at={of.created_at} />
          {of.started_at ? (
            <>
              {" "}
              · began <Ago at={of.started_at} />
            </>
          ) : null}
          {of.state === "later" ? (
            <>
              {" "}
              · next <Ago at={of.run_at} />
            </>
          ) : null}
          {of.attempts > 0 ? ` · ${of.attempts} of ${of.max_attempts} tries` : ""}
        </Text>
        {of.last_error ? (
          <Text size="sm" c="red" className="break" lineClamp={4}>
            {of.last_error}
          </Text>
        ) : null}
      </div>
      <Status of={COLOURS[of.state]} words={of.state} />
      {of.state === "failed" || of.state === "later" ? (
        <Button
          size="xs"
          variant="default"
          loading={retry.isPending}
          onClick={() => retry.mutate()}
          aria-label={`Try again: job ${of.id}`}
        >
          Try again
        </Button>
      ) : null}
    </li>
  );
}
