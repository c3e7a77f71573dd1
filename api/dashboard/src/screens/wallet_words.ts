// How long a wallet lasts, in words.
import type { Schemas } from "../api/client";
import { count } from "../parts/amounts";

const HOUR_MS = 3_600_000;
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
/** From so far off on, the hour of the day says nothing. */
const DAYS_H = 72;
/** Further off nobody means it. */
const FAR_H = 10 * 365 * 24;

export function lasts(wallet: Schemas["WalletAnswer"]): string {
  const hours = wallet.lasts_hours;
  if (hours === null || hours === undefined) return "\u00a0";
  if (hours < 1) return "lasts less than an hour";
  return `lasts ${hours < DAYS_H ? count(hours, "hour") : count(Math.floor(hours / 24), "day")}`;
}

/**
 * When the wallet runs out if the organisation costs `costPerHour` from now on, such as "on 3 Dec 2026"; null where it does
 * not, or where nothing is charged.
 */
export function runsOut(wallet: Schemas["WalletAnswer"], costPerHour: number, now: number): string | null {
  if (!wallet.billing_enabled || costPerHour <= 0) return null;
  const hours = dollarsLeft(wallet) / costPerHour;
  if (hours <= 0) return "at once";
  if (hours > FAR_H) return null;
  return `on ${(hours < DAYS_H ? moment : day).format(now + hours * HOUR_MS)}`;
}

/** What is left in dollars: the API says for how many hours of today's cost, which leaves out what is not settled yet. */
function dollarsLeft(wallet: Schemas["WalletAnswer"]): number {
  const cost = Number(wallet.cost_per_hour);
  if (wallet.lasts_hours !== null && wallet.lasts_hours !== undefined && cost > 0) return wallet.lasts_hours * cost;
  return Number(wallet.balance);
}
