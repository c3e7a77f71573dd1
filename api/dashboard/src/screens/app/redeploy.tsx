// Builds once more what a deployment was built from, whether it failed or not, and leads to where it can be watched.
import { Button } from "@mantine/core";
import { api, data, type Schemas } from "../../api/client";
import { useQueued } from "./queued";

interface RedeployProps {
  slug: string;
  one: Schemas["DeploymentItem"];
  /** Whether it stands at its deployment in a list, or among other actions. */
  inList?: boolean;
  disabled?: boolean;
}

/** Nothing where its source is not kept any more. */
export function Redeploy({ slug, one, inList = false, disabled = false }: RedeployProps) {
  const redeploy = useQueued(slug, (no_cache: boolean) =>
    data(
      api.POST("/api/paas/apps/{app}/deployments/{deployment}/redeploy", {
        params: { path: { app: slug, deployment: one.id } },
        body: { no_cache },
      }),
    ),
  );
  if (!one.can_redeploy) return null;
  const again = (
    <Button
      variant="default"
      size={inList ? "xs" : "sm"}
      title="Builds the same source once more, with the current config vars."
      disabled={disabled}
      loading={redeploy.isPending}
      onClick={() => redeploy.mutate(false)}
    >
      Deploy again
    </Button>
  );
  if (inList) return again;
  return (
    <>
      {again}
      <Button variant="subtle" disabled={disabled || redeploy.isPending} onClick={() => redeploy.mutate(true)}>
        Without the build cache
      </Button>
    </>
  );
}
