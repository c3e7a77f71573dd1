// Lines of a log: only those in sight are in the page, so that fifty thousand scroll smoothly. Follows the end until
// somebody scrolls up.
import { Button } from "@mantine/core";
import { IconArrowDown } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type MouseEvent, useCallback, useLayoutEffect, useRef, useState } from "react";
import { pieces } from "./ansi";
import { exactly } from "./time";

export interface Line {
  /** Goes up by one with every line. */
  id: number;
  text: string;
  at?: string;
  process?: string;
  /** How grave it says that it is. */
  level?: string | null | undefined;
  /** Its place in the log, by which it can be gone to. */
  cursor?: string;
}

const LINE_PX = 20;
/** How near to an end counts as being there. */
const NEAR_PX = 30;
/** How near to an end more lines are asked for. */
const SOON_PX = 600;

interface LogViewProps {
  lines: readonly Line[];
  label: string;
  /** What is said in place of lines. */
  empty: string;
  /** Whether to show when each line was written; yes without. */
  times?: boolean;
  /** Whether to be at the end, and stay there, to begin with; yes without. */
  follows?: boolean;
  /** Cursor of the line that is gone to. */
  chosen?: string | undefined;
  /** The address of a line; without, lines have none. */
  address?: (cursor: string) => string;
  /** Somebody chose a line, or with undefined none any more. */
  onChoose?: (cursor: string | undefined) => void;
  /** Somebody comes near to the first line, or to the last. */
  onFirst?: (() => void) | undefined;
  onLast?: (() => void) | undefined;
}

export function LogView(props: LogViewProps) {
  const { lines, label, empty, times = true, follows = true, chosen, address, onChoose, onFirst, onLast } = props;
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(follows);
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
  useLayoutEffect(() => {
    if (following) toEnd();
  }, [following, lines, toEnd]);

  // What is being read stays where it is while lines come or go before it.
  const first = lines[0]?.id;
  const firstBefore = useRef(first);
  useLayoutEffect(() => {
    const moved = first === undefined || firstBefore.current === undefined ? 0 : firstBefore.current - first;
    firstBefore.current = first;
    if (moved !== 0 && !following && box.current) box.current.scrollTop += moved * LINE_PX;
  }, [first, following]);

  // The line that an address names, once it is there.
  const arrived = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    if (chosen === undefined || following || arrived.current === chosen) return;
    const index = lines.findIndex((line) => line.cursor === chosen);
    if (index < 0) return;
    arrived.current = chosen;
    virtual.scrollToIndex(index, { align: "center" });
  }, [chosen, following, lines, virtual]);

  const topBefore = useRef(0);
  const onScroll = () => {
    const at = box.current;
    if (!at) return;
    const rest = at.scrollHeight - at.scrollTop - at.clientHeight;
    // The end goes away from where somebody is as lines come; only who goes up wants to stay there.
    const up = at.scrollTop < topBefore.current;
    topBefore.current = at.scrollTop;
    if (follows) setFollowing((before) => rest < NEAR_PX || (before && !up));
    if (at.scrollTop < SOON_PX && !following) onFirst?.();
    if (rest < SOON_PX) onLast?.();
  };

  const choose = (event: MouseEvent, cursor: string) => {
    // Held keys mean another tab, which the address is good for.
    if (event.ctrlKey || event.metaKey || event.shiftKey || !onChoose) return;
    event.preventDefault();
    arrived.current = cursor;
    onChoose(cursor);
  };

  // Enter chooses the last line in sight, the arrows go on from there, and Escape leaves: what a click does otherwise.
  const onKeyDown = (event: KeyboardEvent) => {
    const at = box.current;
    if (!onChoose || !at || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = virtual.getVirtualItems().findLast((item) => item.end <= at.scrollTop + at.clientHeight);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const next = event.key === "Enter" ? (last?.index ?? -1) : step ? beside(lines, chosen, step) : -1;
    const cursor = lines[next]?.cursor;
    if (event.key === "Escape" && chosen !== undefined) onChoose(undefined);
    else if (cursor !== undefined) {
      setFollowing(false);
      arrived.current = cursor;
      virtual.scrollToIndex(next);
      onChoose(cursor);
    } else return;
    event.preventDefault();
  };

  return (
    <div className="log-frame">
      <section
        className="log"
        ref={box}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reachable with the keyboard
        tabIndex={0}
        aria-label={label}
        aria-description={
          onChoose ? "Enter chooses a line, arrows the next one; its address is then that of the page." : undefined
        }
        data-following={following}
      >
        {lines.length === 0 ? <p className="log-empty">{empty}</p> : null}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (!line) return null;
            const isChosen = chosen !== undefined && line.cursor === chosen;
            return (
              <Row
                key={line.id}
                line={line}
                top={item.start}
                times={times}
                isChosen={isChosen}
                address={line.cursor ? address?.(line.cursor) : undefined}
                onChoose={choose}
              />
            );
          })}
        </div>
      </section>
      {following || !follows ? null : (
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

/** Where the chosen line's neighbour is; where there is none, no line is. What is too long for one row has several. */
export function beside(lines: readonly Line[], chosen: string | undefined, step: number): number {
  let at = chosen === undefined ? -1 : lines.findIndex((line) => line.cursor === chosen);
  while (at >= 0 && lines[at]?.cursor === chosen) at += step;
  return at;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dated = new Intl.DateTimeFormat("en-GB", {
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const DAY_MS = 86_400_000;

interface RowProps {
  line: Line;
  top: number;
  times: boolean;
  isChosen: boolean;
  address: string | undefined;
  onChoose: (event: MouseEvent, cursor: string) => void;
}

function Row({ line, top, times, isChosen, address, onChoose }: RowProps) {
  const at = times && line.at ? new Date(line.at) : null;
  const time = at ? (
    <time dateTime={line.at} title={exactly(at)}>
      {(Date.now() - at.getTime() > DAY_MS ? dated : clock).format(at)}
    </time>
  ) : null;
  return (
    <div
      className="log-line"
      style={{ transform: `translateY(${top}px)`, height: LINE_PX }}
      data-level={line.level ?? undefined}
      data-chosen={isChosen || undefined}
    >
      {time && address && line.cursor ? (
        <a
          className="log-time"
          href={address}
          tabIndex={-1}
          aria-current={isChosen ? "true" : undefined}
          onClick={(event) => onChoose(event, line.cursor ?? "")}
        >
          {time}
        </a>
      ) : time ? (
        <span className="log-time">{time}</span>
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
