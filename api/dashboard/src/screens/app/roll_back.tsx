// Runs an earlier release again. Nothing is lost by it, so that nobody is asked: it leads to where it can be watched, and
// cancelled.
import { Button } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import { api, data, type Schemas } from "../../api/client";
import { useQueued } from "./queued";

type Item = Schemas["DeploymentItem"];

/** What rolling back is, beside the buttons for it. */
export const ROLL_BACK_WORDS =
  "Rolling back runs an earlier release again, with the current config vars and without a build. It becomes a release of its own.";

interface RollBackProps {
  slug: string;
  to: Item;
  /** Whether it stands at its release in a list, or among other actions. */
  inList?: boolean;
  disabled?: boolean;
}

export function RollBack({ slug, to, inList = false, disabled = false }: RollBackProps) {
  const rollback = useQueued(slug, () =>
    data(
      api.POST("/api/paas/apps/{app}/rollback", {
        params: { path: { app: slug } },
        body: { version: to.version ?? null },
      }),
    ),
  );
  const label = `Roll back to v${to.version}`;
  return (
    <Button
      variant="default"
      size={inList ? "xs" : "sm"}
      leftSection={inList ? null : <IconArrowBackUp size={16} />}
      aria-label={label}
      title={ROLL_BACK_WORDS}
      disabled={disabled}
      loading={rollback.isPending}
      onClick={() => rollback.mutate()}
    >
      {inList ? "Roll back" : label}
    </Button>
  );
}
