// Nodes in words.
import type { Schemas } from "../../api/client";

type Node = Schemas["NodeItem"];

/** What is used of what there is; that alone where nothing is measured. */
export function used(now: number | undefined, all: number, words: (number: number) => string): string {
  return now === undefined ? words(all) : `${words(now)} of ${words(all)}`;
}

/** Of the managers one leads. */
export function role({ role, is_leader }: Node): string {
  return is_leader ? "leader" : role;
}

/** What the Swarm may do with it. */
export function availability(of: Node["availability"]): string {
  return { active: "takes replicas", pause: "keeps its replicas, takes no others", drain: "its replicas go elsewhere" }[
    of
  ];
}
