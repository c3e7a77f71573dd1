// A dialog with a form: what is asked, what was refused, the way back and the way on. Every question of a screen is one.
import { Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { FormBody } from "./form";
import { Refused } from "./loading";

interface DialogProps {
  title: string;
  onClose: () => void;
  onSubmit: () => void;
  /** What the button says that goes on. */
  action: string;
  /** What the one says that leaves all as it is. */
  back?: string;
  /** Whether something is lost by it. */
  danger?: boolean;
  pending?: boolean;
  disabled?: boolean;
  error?: unknown;
  size?: "md" | "lg";
  children: ReactNode;
}

export function Dialog(props: DialogProps) {
  const { title, onClose, onSubmit, action, back = "Leave it", danger, pending, disabled, error, size = "md" } = props;
  // Closed while it is done it would look called off, and nobody would be told if it failed.
  const isFree = !pending;
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size}
      closeOnEscape={isFree}
      closeOnClickOutside={isFree}
      closeButtonProps={{ "aria-label": "Close", disabled: !isFree }}
    >
      <FormBody onSubmit={onSubmit} pending={pending} error={error}>
        {(rest) => (
          <Stack>
            {props.children}
            <Refused error={rest} />
            <Group justify="flex-end">
              <Button variant="default" disabled={!isFree} onClick={onClose}>
                {back}
              </Button>
              <Button type="submit" color={danger ? "red" : undefined} disabled={disabled} loading={pending}>
                {action}
              </Button>
            </Group>
          </Stack>
        )}
      </FormBody>
    </Modal>
  );
}
