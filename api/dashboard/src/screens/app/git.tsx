// The repository that an app is built from when it is not pushed to, and what opens it.
import { Button, Switch, Text } from "@mantine/core";
import { api, data, type Schemas } from "../../api/client";
import { useAction } from "../../parts/action";
import { Command } from "../../parts/command";
import { useDraft } from "../../parts/draft";
import { TextField } from "../../parts/fields";
import { LOOK_ONLY, useMay } from "../../parts/roles";
import { Sure } from "../../parts/sure";
import { SettingsForm } from "./settings_form";

export function Git({ app, repository }: { app: Schemas["AppAnswer"]; repository: Schemas["RepositoryView"] }) {
  const may = useMay(app.organization_id);
  const of = useDraft({
    git_url: repository.git_url ?? "",
    git_branch: repository.git_branch,
    auto_deploy: repository.auto_deploy,
    token: "",
  });
  const path = { app: app.slug };
  const changes = [["app", app.slug], ["apps"]];
  const save = useAction({
    run: (changed: typeof of.changed) =>
      data(
        api.PATCH("/api/paas/apps/{app}/repository", {
          params: { path },
          body: changed.git_url === "" ? { ...changed, git_url: null } : changed,
        }),
      ),
    done: "Saved.",
    changes,
    quiet: true,
  });
  const check = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/repository/check", { params: { path } })),
    done: "The repository answers, and has the branch.",
  });
  const makeKey = useAction({
    run: () => data(api.POST("/api/paas/apps/{app}/repository/deploy-key", { params: { path } })),
    done: "There is a new deploy key. Give it to the host of the repository.",
    changes,
  });
  return (
    <SettingsForm
      id="git"
      title="Git"
      may={may.change}
      of={of}
      save={save}
      more={
        <>
          {repository.git_url ? (
            <Button variant="default" loading={check.isPending} onClick={() => check.mutate()}>
              Check it
            </Button>
          ) : null}
          {repository.deploy_key ? (
            <Sure label="New deploy key" size="sm" title="Make a new deploy key?" action="Make it" does={makeKey}>
              The current key stops working: nothing can be fetched until the host of the repository has the new one.
            </Sure>
          ) : (
            <Button variant="default" loading={makeKey.isPending} onClick={() => makeKey.mutate()}>
              Make a deploy key
            </Button>
          )}
        </>
      }
    >
      <TextField
        name="git_url"
        label="Repository"
        description="Where Skypanel fetches from. Leave it empty for an app that is only pushed to."
        placeholder="https://github.com/you/my-app.git"
        disabled={!may.change}
        value={of.draft.git_url}
        onSet={of.set("git_url")}
      />
      <TextField
        name="git_branch"
        label="Branch"
        description="The branch that is released, by a push as well."
        required
        disabled={!may.change}
        value={of.draft.git_branch}
        onSet={of.set("git_branch")}
      />
      <TextField
        name="token"
        label="Token"
        type="password"
        autoComplete="new-password"
        description={
          repository.has_token ? "There is one; another replaces it." : "For a private repository over HTTPS."
        }
        disabled={!may.change}
        value={of.draft.token}
        onSet={of.set("token")}
      />
      <Switch
        label="Deploy by itself when the host tells of a push"
        disabled={!may.change}
        checked={of.draft.auto_deploy}
        onChange={(event) => of.set("auto_deploy")(event.currentTarget.checked)}
      />
      {repository.deploy_key ? <Command text={repository.deploy_key} label="Copy the deploy key" /> : null}
      {may.change ? null : (
        <Text c="dimmed" size="sm">
          {LOOK_ONLY}
        </Text>
      )}
    </SettingsForm>
  );
}
