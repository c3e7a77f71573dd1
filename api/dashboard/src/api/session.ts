// The browser's session: its cookies, its silent renewal, and what to do once it has ended.
import { useSyncExternalStore } from "react";
import { problemOf } from "./problem";

type State = "unknown" | "open" | "ended";

/** Longest that a renewal may take, with the wait for those of other tabs. */
const RENEW_MS = 20_000;

let state: State = "unknown";
let renewing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

export function setSession(next: State) {
  if (state === next) return;
  state = next;
  for (const listener of listeners) listener();
}

/** Whether the session that this page worked in has ended, so that the person must sign in again. */
export function useSessionEnded(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state === "ended",
  );
}

/** The same for what is not shown: whoever signs in again says so with `setSession`. */
export const hasEnded = () => state === "ended";

let person: string | null = null;

/** Whether the session is still of the person that this page was loaded for. */
export function isOfSamePerson(id: string): boolean {
  person ??= id;
  return person === id;
}

let tabs: BroadcastChannel | null = null;

/** Tabs of a browser share its cookies: whoever signs in or out in one of them does so in all. */
function channel(): BroadcastChannel {
  tabs ??= new BroadcastChannel("skypanel-session");
  return tabs;
}

/** Somebody signed in here, maybe another person than before. */
export function signedIn() {
  person = null;
  setSession("open");
  channel().postMessage("changed");
}

/** Somebody signed out here. */
export const signedOut = () => channel().postMessage("changed");

/** Calls back when somebody signed in or out in another tab, until the returned function is called. */
export function onSessionOfOtherTab(listener: () => void): () => void {
  const of = channel();
  of.addEventListener("message", listener);
  return () => of.removeEventListener("message", listener);
}

/** What writes bring along. With HTTPS the cookie has the name that only this host can give it. */
export function csrfToken(cookies = document.cookie, protocol = location.protocol): string {
  const name = `${protocol === "https:" ? "__Host-" : ""}skypanel_csrf`;
  const pair = cookies.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return pair?.slice(name.length + 1) ?? "";
}

/**
 * Renews the session; whether there is one now. Whoever asks meanwhile gets the same answer. Throws where Skypanel did
 * not say, as while it starts again.
 */
export function renew(): Promise<boolean> {
  renewing ??= exclusively(askToRenew, AbortSignal.timeout(RENEW_MS)).finally(() => {
    renewing = null;
  });
  return renewing;
}

async function askToRenew(signal: AbortSignal): Promise<boolean> {
  const headers = { "x-csrf-token": csrfToken() };
  const response = await fetch("/api/auth/refresh", { method: "POST", headers, signal });
  // 409: another tab renewed it a moment ago, and its cookies are ours.
  if (response.ok || response.status === 409) return true;
  if (response.status === 401 || response.status === 403) return false;
  throw problemOf(response.status, await response.json().catch(() => null));
}

/** Of several tabs one renews at a time, where the browser can tell them apart. */
async function exclusively<T>(work: (limit: AbortSignal) => Promise<T>, limit: AbortSignal): Promise<T> {
  if (!navigator.locks) return work(limit);
  return navigator.locks.request("skypanel-renew", { signal: limit }, () => work(limit));
}
