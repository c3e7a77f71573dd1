// Fetches the app's repository, builds it and releases it: its newest commit, or one that was deployed before.
import { Button } from "@mantine/core";
import { IconRocket } from "@tabler/icons-react";
import { api, data, type Schemas } from "../../api/client";
import { useQueued } from "./queued";

interface DeployProps {
  app: Schemas["AppAnswer"];
  /** A commit that is deployed again; the newest of the branch without. */
  commit?: string;
}

/** For apps that have a repository to fetch from. */
export function Deploy({ app, commit }: DeployProps) {
  const deploy = useQueued(app.slug, () =>
    data(
      api.POST("/api/paas/apps/{app}/deploy", {
        params: { path: { app: app.slug } },
        body: commit ? { commit } : {},
      }),
    ),
  );
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
