// The keyboard: a palette that leads everywhere, two-key ways to the main pages, and a page that says which there are.
import { Kbd, Modal, Stack, Switch, Table, Text, TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { appsQuery, meQuery } from "../api/queries";
import { useSingleHotkeys, useSingleKeys } from "../parts/keys";

/** Longest between the two keys of a way. */
const SECOND_KEY_MS = 1_000;
const WAYS: Record<string, [path: string, words: string]> = {
  a: ["/apps", "Apps"],
  n: ["/new", "New app"],
  p: ["/plans", "Plans"],
  o: ["/organizations", "Organisation"],
  u: ["/usage", "Usage and billing"],
  c: ["/account", "Account"],
};
const ADMIN = [
  "",
  "apps",
  "organizations",
  "users",
  "nodes",
  "plans",
  "billing",
  "jobs",
  "alerts",
  "settings",
  "audit",
];
/** Most results that the palette shows. */
const MOST = 8;

interface ShortcutsProps {
  shown: "palette" | "help" | null;
  onShow: (what: "palette" | "help" | null) => void;
}

export function Shortcuts({ shown, onShow: setShown }: ShortcutsProps) {
  const navigate = useNavigate();
  const pressed = useRef(0);
  const onPalette = (event: globalThis.KeyboardEvent) => {
    const at = event.target instanceof Element ? event.target : null;
    // There it is a key of the shell.
    if (at?.closest(".xterm")) return;
    event.preventDefault();
    // A dialog is answered first.
    if (shown || !at?.closest("[role=dialog]")) setShown("palette");
  };
  // Within fields as well, unlike keys that are typed there.
  useHotkeys([["mod+K", onPalette, { preventDefault: false }]], []);
  useSingleHotkeys([
    [
      "/",
      () => {
        const field = document.querySelector<HTMLElement>("main [data-slash]");
        if (field) field.focus();
        else setShown("palette");
      },
    ],
    ["shift+?", () => setShown("help")],
    ["?", () => setShown("help")],
    [
      "g",
      () => {
        pressed.current = performance.now();
      },
    ],
    ...Object.entries(WAYS).map(([key, [to]]): [string, () => void] => [
      key,
      () => {
        if (performance.now() - pressed.current < SECOND_KEY_MS) void navigate({ to });
      },
    ]),
  ]);
  const close = () => setShown(null);
  if (shown === "palette") return <Palette onClose={close} />;
  return shown === "help" ? <Help onClose={close} /> : null;
}

function Help({ onClose }: { onClose: () => void }) {
  const [single, setSingle] = useSingleKeys();
  const keys: [string[], string][] = [
    [["Ctrl", "K"], "Go anywhere"],
    [["/"], "Search in what is shown, or go anywhere"],
    ...Object.entries(WAYS).map(([key, [, words]]): [string[], string] => [["g", key], words]),
    [["Enter"], "In a log: choose the last line in sight"],
    [["↑", "↓"], "From there: the line before, the line after"],
    [["Escape"], "In a log: choose none"],
    [["Escape", "Tab"], "Leave the terminal of the console"],
    [["?"], "This help"],
  ];
  return (
    <Modal opened onClose={onClose} title="Keyboard">
      <Table>
        <Table.Tbody>
          {keys.map(([of, words]) => (
            <Table.Tr key={words}>
              <Table.Td>
                {of.map((key) => (
                  <span key={key}>
                    <Kbd>{key}</Kbd>{" "}
                  </span>
                ))}
              </Table.Td>
              <Table.Td>{words}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Switch
        mt="md"
        label="Keys without Ctrl"
        description={
          single
            ? "Switch them off where they get in your way; the account's menu leads back here."
            : "Only Ctrl K does something now. The account's menu leads back here."
        }
        checked={single}
        onChange={(event) => setSingle(event.currentTarget.checked)}
      />
    </Modal>
  );
}

function Palette({ onClose }: { onClose: () => void }) {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const navigate = useNavigate();
  const apps = useQuery(appsQuery).data ?? [];
  const admin = useQuery(meQuery).data?.is_admin === true;
  const all = [
    ...Object.values(WAYS).map(([to, words]) => ({ to, words, more: "" })),
    ...(admin ? ADMIN.map((page) => ({ to: page ? `/admin/${page}` : "/admin", words: "Admin", more: page })) : []),
    ...apps.flatMap(({ slug }) =>
      ["", "deployments", "logs", "metrics", "environment", "domains", "scale", "console", "settings"].map((page) => ({
        to: page ? `/apps/${slug}/${page}` : `/apps/${slug}`,
        words: slug,
        more: page,
      })),
    ),
  ];
  const wanted = search.trim().toLowerCase().split(/\s+/);
  const found = all
    .filter(({ words, more }) => wanted.every((word) => `${words} ${more}`.toLowerCase().includes(word)))
    .slice(0, MOST);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another search has another first result
  useEffect(() => setAt(0), [search]);

  const go = (to: string | undefined) => {
    if (!to) return;
    onClose();
    void navigate({ to });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setAt((before) => Math.max(0, Math.min(found.length - 1, before + step)));
    } else if (event.key === "Enter") go(found[at]?.to);
  };
  return (
    <Modal opened onClose={onClose} title="Go to" yOffset="10vh" centered={false}>
      <Stack gap="xs">
        <TextInput
          role="combobox"
          aria-label="Where to"
          aria-expanded
          aria-controls="places"
          aria-activedescendant={found.length > 0 ? `place-${at}` : undefined}
          aria-autocomplete="list"
          placeholder="An app or a page"
          data-autofocus
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <div id="places" role="listbox" aria-label="Places">
          {found.map((one, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the field's
            <div
              key={one.to}
              id={`place-${index}`}
              role="option"
              aria-selected={index === at}
              tabIndex={-1}
              className="place"
              onClick={() => go(one.to)}
            >
              {one.words}
              <Text span c="dimmed" size="sm">
                {one.more}
              </Text>
            </div>
          ))}
        </div>
        {found.length === 0 ? <Text c="dimmed">Nothing has that name.</Text> : null}
      </Stack>
    </Modal>
  );
}
