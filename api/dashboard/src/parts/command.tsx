// A command to copy into a terminal.
import { IconCopy } from "@tabler/icons-react";
import { Copied } from "./copied";

export function Command({ text, label = "Copy the command" }: { text: string; label?: string }) {
  return (
    <div className="command">
      <code>{text}</code>
      <Copied text={text} label={label}>
        <IconCopy size={16} />
      </Copied>
    </div>
  );
}
