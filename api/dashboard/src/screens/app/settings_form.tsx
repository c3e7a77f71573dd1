// One part of an app's settings: a title, and a form that keeps what was typed until it is saved and read again.
import { Title } from "@mantine/core";
import type { ReactNode } from "react";
import type { Draft, Save } from "../../parts/draft";
import { Form } from "../../parts/form";
import { Unsaved } from "../../parts/unsaved";

interface SettingsFormProps<T> {
  id: string;
  title: string;
  /** Whether the person may change it. */
  may: boolean;
  of: Draft<T>;
  save: Save<T>;
  /** Buttons beside the one that saves, for those who may change it. */
  more?: ReactNode;
  children: ReactNode;
}

export function SettingsForm<T>({ id, title, may, of, save, more, children }: SettingsFormProps<T>) {
  return (
    <section aria-labelledby={id}>
      <Title order={2} size="h4" id={id} mb="sm">
        {title}
      </Title>
      <Unsaved changes={of.unsaved(save)} />
      <Form
        onSubmit={() => of.send(save)}
        action={may ? "Save" : undefined}
        pending={save.isPending}
        error={save.error}
        more={may ? more : null}
      >
        {children}
      </Form>
    </section>
  );
}
