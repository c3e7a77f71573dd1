// Fetches the app's repository, builds it and releases it: its newest commit, or one that was deployed before.
import { Button } from "@mantine/core";
import { IconRocket } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { api, data, type Schemas } from "../../api/client";
import { useAction } from "../../parts/action";

interface DeployProps {
  app: Schemas["AppAnswer"];
  /** A commit that is deployed again; the newest of the branch without. */
  commit?: string;
}

/** For apps that have a repository to fetch from. */
export function Deploy({ app, commit }: DeployProps) {
  const navigate = useNavigate();
  const deploy = useAction({
    run: () =>
      data(
        api.POST("/api/paas/apps/{app}/deploy", {
          params: { path: { app: app.slug } },
          body: commit ? { commit } : {},
        }),
      ),
    changes: [["app", app.slug], ["apps"]],
    onDone: (queued) =>
      void navigate({
        to: "/apps/$app/deployments/$deployment",
        params: { app: app.slug, deployment: queued.deployment_id },
      }),
  });
  if (!app.git_url) return null;
  return (
    <Button
      variant={commit ? "default" : "filled"}
      leftSection={<IconRocket size={16} />}
      loading={deploy.isPending}
      disabled={app.status === "suspended"}
      onClick={() => deploy.mutate()}
    >
      {commit ? "Deploy it again" : `Deploy ${app.git_branch}`}
    </Button>
  );
}
