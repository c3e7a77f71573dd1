// One part of an app's settings: a title, and a form that keeps what was typed until it is saved and read again.
import { Title } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Form } from "../../parts/form";

interface SettingsFormProps {
  id: string;
  title: string;
  /** Whether the person may change it. */
  may: boolean;
  save: UseMutationResult<unknown, Error, void>;
  /** Forgets what was typed. */
  clear: () => void;
  /** Buttons beside the one that saves, for those who may change it. */
  more?: ReactNode;
  children: ReactNode;
}

export function SettingsForm({ id, title, may, save, clear, more, children }: SettingsFormProps) {
  return (
    <section aria-labelledby={id}>
      <Title order={2} size="h4" id={id} mb="sm">
        {title}
      </Title>
      <Form
        onSubmit={() => save.mutate(undefined, { onSuccess: clear })}
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
