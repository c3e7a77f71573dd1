// A small button that copies a text, and says that it did.
import { ActionIcon, CopyButton } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import type { ReactNode } from "react";

export function Copied({ text, label, children }: { text: string; label: string; children: ReactNode }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          onClick={copy}
          aria-label={copied ? "Copied" : label}
          title={copied ? "Copied" : label}
        >
          {copied ? <IconCheck size={16} /> : children}
        </ActionIcon>
      )}
    </CopyButton>
  );
}
