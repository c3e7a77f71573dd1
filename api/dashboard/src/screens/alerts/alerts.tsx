// What is wrong, and what was: of an organisation, or of the platform for its admins.
import { SegmentedControl, Stack, Text, Title } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { alertsQuery } from "../../api/queries";
import { LinkTo } from "../../parts/link";
import { Paged } from "../../parts/paged";
import { Status } from "../../parts/status";
import { Ago } from "../../parts/time";

/** Without an organisation, of the platform. */
export function Alerts({ organization }: { organization: string | null }) {
  const [over, setOver] = useState("now");
  const alerts = useInfiniteQuery({
    ...alertsQuery(organization, over === "over"),
    placeholderData: keepPreviousData,
  });
  return (
    <section aria-labelledby="alerts">
      <Stack gap="sm">
        <div className="title-row">
          <Title order={organization ? 3 : 2} size="h4" id="alerts">
            Alerts
          </Title>
          <SegmentedControl
            size="xs"
            aria-label="Which alerts"
            data={[
              { value: "now", label: "Now" },
              { value: "over", label: "Past" },
            ]}
            value={over}
            onChange={setOver}
          />
        </div>
        <Paged query={alerts} empty={over === "over" ? "No past alerts." : "Nothing is wrong now."}>
          {(items) => (
            <ul className="plain-list rows" aria-label="Alerts">
              {items.map((one) => (
                <Row key={one.id} of={one} />
              ))}
            </ul>
          )}
        </Paged>
      </Stack>
    </section>
  );
}

/** What it is about, and the way there. */
function Subject({ of }: { of: Schemas["SubjectItem"] }) {
  if (of.kind === "app") {
    return (
      <>
        app{" "}
        <LinkTo to="/apps/$app" params={{ app: of.name }} size="sm">
          {of.name}
        </LinkTo>
      </>
    );
  }
  if (of.kind === "node") {
    return (
      <>
        node{" "}
        <LinkTo to="/admin/nodes/$node" params={{ node: of.name }} size="sm">
          {of.name}
        </LinkTo>
      </>
    );
  }
  if (of.kind === "platform") return "the platform";
  return `${of.kind === "organization" ? "organisation" : of.kind} ${of.name}`;
}

function Row({ of }: { of: Schemas["AlertItem"] }) {
  return (
    <li>
      <div className="grow">
        <Text className="break">{of.message}</Text>
        <Text size="sm" c="dimmed" className="break">
          <span className="mono">{of.rule}</span> · <Subject of={of.subject} /> · began <Ago at={of.began_at} />
          {of.resolved_at ? (
            <>
              {" "}
              · ended <Ago at={of.resolved_at} />
            </>
          ) : null}
        </Text>
      </div>
      <Status of={of.resolved_at ? "inactive" : of.severity} words={of.resolved_at ? "ended" : of.severity} />
    </li>
  );
}
