// Lines of a log: only those in sight are in the page, so that fifty thousand scroll smoothly. Follows the end until
// somebody scrolls up.
import { Button } from "@mantine/core";
import { IconArrowDown } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useRef, useState } from "react";
import { pieces } from "./ansi";
import { exactly } from "./time";

export interface Line {
  /** Goes up by one with every line. */
  id: number;
  text: string;
  at?: string;
  process?: string;
}

const LINE_PX = 20;
/** How near to the end counts as being there. */
const NEAR_PX = 30;

interface LogViewProps {
  lines: readonly Line[];
  label: string;
  /** What is said in place of lines. */
  empty: string;
  /** Whether to show when each line was written; yes without. */
  times?: boolean;
}

export function LogView({ lines, label, empty, times = true }: LogViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
    paddingStart: 8,
    paddingEnd: 8,
  });

  const toEnd = useCallback(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each new line moves the end
  useEffect(() => {
    if (following) toEnd();
  }, [following, lines, toEnd]);

  const onScroll = () => {
    const at = box.current;
    if (at) setFollowing(at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_PX);
  };

  return (
    <div className="log-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reachable with the keyboard */}
      <section className="log" ref={box} onScroll={onScroll} tabIndex={0} aria-label={label} data-following={following}>
        {lines.length === 0 ? <p className="log-empty">{empty}</p> : null}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            return line ? <Row key={line.id} line={line} top={item.start} times={times} /> : null;
          })}
        </div>
      </section>
      {following ? null : (
        <Button
          className="log-to-end"
          size="xs"
          leftSection={<IconArrowDown size={14} />}
          onClick={() => {
            setFollowing(true);
            toEnd();
          }}
        >
          Follow
        </Button>
      )}
    </div>
  );
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function Row({ line, top, times }: { line: Line; top: number; times: boolean }) {
  const at = times && line.at ? new Date(line.at) : null;
  return (
    <div className="log-line" style={{ transform: `translateY(${top}px)`, height: LINE_PX }}>
      {at ? (
        <time className="log-time" dateTime={line.at} title={exactly(at)}>
          {clock.format(at)}
        </time>
      ) : null}
      {line.process ? <span className="log-process">{line.process}</span> : null}
      {pieces(line.text).map((piece, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a line never move
        <span key={index} className={piece.classes || undefined}>
          {piece.text}
        </span>
      ))}
    </div>
  );
}
