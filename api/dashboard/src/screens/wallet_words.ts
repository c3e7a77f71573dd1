// How long a wallet lasts, and when its people are warned, in words.
import type { Schemas } from "../api/client";
import { cents, count, exact } from "../parts/amounts";

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

/** When people are warned of a low balance. */
export function warnedBelow(alerts: Schemas["WalletAlerts"]): string {
  const { low_balance_hours: own, platform_low_balance_hours: platform, last_warning_hours: last } = alerts;
  if (platform === 0) return "The platform has switched alerts about a low balance off.";
  const hours = own ?? platform;
  const begin = "People are warned when the balance lasts for less than";
  const whose = own === null || own === undefined ? ", as the platform says" : "";
  if (hours <= last) return `${begin} ${last} hours of what runs${whose}.`;
  const again = last > 0 ? `, and once more below ${last}` : "";
  return `${begin} ${hours} hours of what runs${whose}${again}.`;
}

/** How much of its budget the month was charged, in whole percent; 0 without a budget. */
export function budgetUsed(wallet: Schemas["WalletAnswer"]): number {
  const budget = exact(wallet.alerts.month_budget ?? "0");
  return budget > 0n ? Number((100n * exact(wallet.month_charged)) / budget) : 0;
}

/** When people are warned of the budget, and where the month is going. */
export function warnedOfBudget(wallet: Schemas["WalletAnswer"]): string {
  const { budget_percent: percent, month_budget: budget } = wallet.alerts;
  const goes =
    wallet.billing_enabled && Number(wallet.forecast) > Number(budget)
      ? `If everything goes on as it is, the month comes to ${cents(wallet.forecast)}. `
      : "";
  if (percent === 0) return `${goes}The platform has switched alerts about budgets off.`;
  const at = percent < 100 ? `at ${percent} % and at 100 %` : "at 100 %";
  return `${goes}People are warned ${at}. Nothing is stopped for it.`;
}
