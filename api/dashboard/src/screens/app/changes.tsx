// What a deployment changes: its commits, and the files with their lines. All of it is somebody's text.
import { Badge, Button, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Schemas } from "../../api/client";
import { changesQuery } from "../../api/queries";
import { Command } from "../../parts/command";
import { Loaded } from "../../parts/loading";
import { Ago } from "../../parts/time";
import { shortHash } from "./deployment_words";
import { type DiffLine, diffLines, openAtFirst } from "./diff_lines";

/** Lines that are open to begin with, in all files. */
const OPEN_LINES = 400;
/** Lines of a file that are shown at a time: tens of thousands would make the page slow. */
const STEP = 1_000;

interface ChangesProps {
  slug: string;
  deployment: string;
  /** The commit of the release before, where it is named already. */
  before: string | null;
}

export function Changes({ slug, deployment, before }: ChangesProps) {
  const changes = useQuery(changesQuery(slug, deployment));
  return (
    <Loaded query={changes} lines={3}>
      {(one) => <Known one={one} before={before} />}
    </Loaded>
  );
}

function Known({ one, before }: { one: Schemas["DeploymentChanges"]; before: string | null }) {
  const { changes } = one;
  const range = one.base_commit && one.commit ? [one.base_commit, one.commit].map(shortHash) : null;
  const command =
    range && (!changes || changes.truncated) ? (
      <Command text={`git diff ${range.join(" ")}`} label="Copy the command that shows all of it" />
    ) : null;
  if (!changes) {
    return (
      <Stack gap="xs">
        <Text size="sm">{one.reason}</Text>
        {one.missing === "not_in_history" || one.missing === "unreadable" ? command : null}
      </Stack>
    );
  }
  return (
    <Stack gap="sm">
      {range && one.base_commit !== before ? (
        <Text size="sm" c="dimmed">
          Compared with {one.base_version ? `v${one.base_version}` : "what ran before"}:{" "}
          <span className="mono">{range.join("..")}</span>
        </Text>
      ) : null}
      <Commits of={changes} />
      <Files of={changes} />
      {changes.truncated ? (
        <Stack gap="xs">
          <Text size="sm">There is more than is kept here. In a clone of the repository, this shows all of it:</Text>
          {command}
        </Stack>
      ) : null}
    </Stack>
  );
}

function Commits({ of }: { of: Schemas["ChangesItem"] }) {
  return (
    <>
      {of.commits.length > 0 ? (
        <ul className="plain-list rows" aria-label="Commits">
          {of.commits.map((commit) => (
            <li key={commit.hash}>
              <span className="mono">{shortHash(commit.hash)}</span>
              <span className="grow break">{commit.subject}</span>
              <Text size="sm" c="dimmed" className="break">
                {commit.author}
                {commit.committed_at ? (
                  <>
                    , <Ago at={commit.committed_at} />
                  </>
                ) : null}
              </Text>
            </li>
          ))}
        </ul>
      ) : null}
      {of.more_commits > 0 ? <Text size="sm">And {of.more_commits} more commits.</Text> : null}
      {of.goes_on === false ? (
        <Text size="sm">
          Its history does not follow on from the release before: that was on another branch, was a later commit, or was
          overwritten by a forced push.
        </Text>
      ) : null}
    </>
  );
}

type File = Schemas["ChangedFileItem"];

function Files({ of }: { of: Schemas["ChangesItem"] }) {
  const files = useMemo(() => of.files.map((file) => ({ file, lines: diffLines(file.patch) })), [of]);
  const open = useMemo(
    () =>
      openAtFirst(
        files.map(({ lines }) => lines.length),
        OPEN_LINES,
      ),
    [files],
  );
  const count = of.files.length + of.more_files;
  return (
    <>
      <Text size="sm">
        {count === 1 ? "1 file" : `${count} files`}, <Counts of={of} />
      </Text>
      <ul className="plain-list" aria-label="Files">
        {files.map(({ file, lines }, index) => (
          <li key={file.path} className="diff-file">
            <ChangedFile file={file} lines={lines} opens={open[index] ?? false} />
          </li>
        ))}
      </ul>
      {of.more_files > 0 ? <Text size="sm">And {of.more_files} more files.</Text> : null}
    </>
  );
}

function Counts({ of }: { of: { added: number; removed: number } }) {
  return (
    <span className="diff-counts">
      <span className="ansi-2">+{of.added}</span> <span className="ansi-1">−{of.removed}</span>
    </span>
  );
}

const STATUS: Record<File["status"], [string, string]> = {
  added: ["green", "new"],
  removed: ["red", "removed"],
  modified: ["gray", "changed"],
  renamed: ["blue", "renamed"],
};
const OMITTED: Record<NonNullable<File["omitted"]>, string> = {
  binary: "It is not text.",
  too_large: "It is too large to be compared here.",
  cut: "Not all of its lines are kept.",
};

function ChangedFile({ file, lines, opens }: { file: File; lines: DiffLine[]; opens: boolean }) {
  const [isOpen, setOpen] = useState(opens);
  const [colour, word] = STATUS[file.status];
  const notes = [
    file.old_mode && file.new_mode ? `Its mode was ${file.old_mode} and is ${file.new_mode}.` : null,
    file.omitted ? OMITTED[file.omitted] : null,
    lines.length === 0 && !file.omitted ? "No line of it changed." : null,
  ].filter((note) => note !== null);
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className="mono break">
          {file.old_path ? `${file.old_path} → ` : ""}
          {file.path}
        </span>{" "}
        <Badge variant="light" color={colour} tt="none" radius="sm">
          {word}
        </Badge>{" "}
        {file.added + file.removed > 0 ? <Counts of={file} /> : null}
      </summary>
      {isOpen ? (
        <>
          {notes.length > 0 ? (
            <Text size="sm" c="dimmed" p="xs">
              {notes.join(" ")}
            </Text>
          ) : null}
          {lines.length > 0 ? <Lines of={lines} path={file.path} /> : null}
        </>
      ) : null}
    </details>
  );
}

function Lines({ of, path }: { of: DiffLine[]; path: string }) {
  const [shown, setShown] = useState(STEP);
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reachable with the keyboard */}
      <section className="diff" tabIndex={0} aria-label={`Lines of ${path}`}>
        <div className="diff-lines">
          {of.slice(0, shown).map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines never move
            <div key={index} className="diff-line" data-kind={line.kind}>
              <span className="diff-number">{line.old}</span>
              <span className="diff-number">{line.now}</span>
              <span>{line.text}</span>
            </div>
          ))}
        </div>
      </section>
      {of.length > shown ? (
        <Button variant="default" size="xs" m="xs" onClick={() => setShown(shown + STEP)}>
          Show more of its {of.length} lines
        </Button>
      ) : null}
    </>
  );
}
