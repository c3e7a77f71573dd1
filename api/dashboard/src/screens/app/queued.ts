// An action that queues a deployment of an app, and leads to where it can be watched.
import { useNavigate } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { useAction } from "../../parts/action";

export function useQueued<In = void>(slug: string, run: (input: In) => Promise<Schemas["QueuedDeployment"]>) {
  const navigate = useNavigate();
  return useAction({
    run,
    changes: [["app", slug], ["apps"]],
    onDone: (queued) =>
      void navigate({
        to: "/apps/$app/deployments/$deployment",
        params: { app: slug, deployment: queued.deployment_id },
      }),
  });
}
