// A text of the platform's own in which names and commands stand between backticks.
import { Fragment } from "react";

export function Marked({ text }: { text: string }) {
  return text.split("`").map((piece, index) =>
    index % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text never move
      <code key={index} className="mono">
        {piece}
      </code>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text never move
      <Fragment key={index}>{piece}</Fragment>
    ),
  );
}
