// An action that queues a deployment of an app, and leads to where it can be watched.
import type { Schemas } from "../../api/client";
import { useAction } from "../../parts/action";
import { useGoOn } from "../../parts/go_on";

export function useQueued<In = void>(slug: string, run: (input: In) => Promise<Schemas["QueuedDeployment"]>) {
  const goOn = useGoOn();
  return useAction({
    run,
    changes: [["app", slug], ["apps"]],
    onDone: (queued) =>
      void goOn({
        to: "/apps/$app/deployments/$deployment",
        params: { app: slug, deployment: queued.deployment_id },
      }),
  });
}
