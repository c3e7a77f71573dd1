// Moves the app to another organisation of which the person is an owner as well.
import { Button, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { meQuery } from "../../api/queries";
import { useAction } from "../../parts/action";
import { Dialog } from "../../parts/dialog";
import { ChoiceField } from "../../parts/fields";
import { useMay } from "../../parts/roles";

export function Transfer({ app }: { app: Schemas["AppAnswer"] }) {
  const may = useMay(app.organization_id);
  const me = useQuery(meQuery).data;
  const [asked, setAsked] = useState(false);
  const heirs = (me?.organizations ?? [])
    .filter((one) => one.role === "owner" && one.id !== app.organization_id)
    .map((one) => one.name);
  if (!may.own) return null;
  return (
    <section aria-labelledby="transfer">
      <Title order={2} size="h4" id="transfer" mb="xs">
        Organisation
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        It is {app.organization}'s.{" "}
        {heirs.length === 0 ? "To move it, you must be an owner of another organisation as well." : null}
      </Text>
      {heirs.length > 0 ? (
        <Button variant="default" onClick={() => setAsked(true)}>
          Move it to another organisation
        </Button>
      ) : null}
      {asked ? <Move app={app} heirs={heirs} onClose={() => setAsked(false)} /> : null}
    </section>
  );
}

function Move({ app, heirs, onClose }: { app: Schemas["AppAnswer"]; heirs: string[]; onClose: () => void }) {
  const [heir, setHeir] = useState(heirs[0] ?? "");
  const move = useAction({
    run: () =>
      data(
        api.POST("/api/paas/apps/{app}/transfer", {
          params: { path: { app: app.slug } },
          body: { organization: heir },
        }),
      ),
    done: (moved: Schemas["AppItem"]) => `${moved.slug} is ${moved.organization}'s now.`,
    changes: [["app", app.slug], ["apps"], ["organizations"]],
    onDone: onClose,
    quiet: true,
  });
  return (
    <Dialog
      title={`Move ${app.slug}?`}
      onClose={onClose}
      onSubmit={() => move.mutate()}
      action="Move it"
      pending={move.isPending}
      error={move.error}
    >
      <ChoiceField name="organization" label="To" data={heirs} data-autofocus value={heir} onSet={setHeir} />
      <Text size="sm">
        It runs on. Who is only in {app.organization} no longer sees it, what is being built is cancelled, and from now
        on {heir} pays for it.
      </Text>
    </Dialog>
  );
}
