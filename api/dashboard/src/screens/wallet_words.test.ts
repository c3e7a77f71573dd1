import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { budgetUsed, lasts, runsOut, warnedBelow, warnedOfBudget } from "./wallet_words";

const NOW = Date.parse("2026-11-29T12:00:00Z");

function wallet(some: Partial<Schemas["WalletAnswer"]>): Schemas["WalletAnswer"] {
  return {
    balance: "10.00",
    billing_enabled: true,
    cost_per_hour: "0.10",
    forecast: "0",
    lasts_hours: 100,
    month: "2026-11",
    month_charged: "0",
    month_to_date: "0",
    organization_id: "",
    suspended_apps: 0,
    warning: null,
    alerts: alerts({}),
    ...some,
  };
}

function alerts(some: Partial<Schemas["WalletAlerts"]>): Schemas["WalletAlerts"] {
  return {
    low_balance_hours: null,
    platform_low_balance_hours: 72,
    last_warning_hours: 24,
    month_budget: null,
    budget_percent: 80,
    ...some,
  };
}

test("people are told when they are warned", () => {
  expect(warnedBelow(alerts({}))).toContain("72 hours of what runs, as the platform says, and once more below 24.");
  expect(warnedBelow(alerts({ low_balance_hours: 100 }))).toContain("100 hours of what runs, and once more below 24.");
  expect(warnedBelow(alerts({ low_balance_hours: 0 }))).toContain("less than 24 hours of what runs.");
  expect(warnedBelow(alerts({ low_balance_hours: 100, platform_low_balance_hours: 0 }))).toContain("switched");
});

test("a budget says how much of it is used up, and where that goes", () => {
  const of = (charged: string, forecast: string) =>
    wallet({ month_charged: charged, forecast, alerts: alerts({ month_budget: "10" }) });
  expect(budgetUsed(of("7.999999", "9"))).toBe(79);
  expect(budgetUsed(of("8.000000", "9"))).toBe(80);
  expect(budgetUsed(of("12", "9"))).toBe(120);
  // As exact as the API, which warns by it; a float says one less.
  const used = (charged: string, budget: string) =>
    budgetUsed(wallet({ month_charged: charged, alerts: alerts({ month_budget: budget }) }));
  expect([used("0.290000", "1.000000"), used("16.40", "20.50")]).toEqual([29, 80]);
  expect(budgetUsed(wallet({ month_charged: "3" }))).toBe(0);
  expect(warnedOfBudget(of("8", "10"))).toBe("People are warned at 80 % and at 100 %. Nothing is stopped for it.");
  expect(warnedOfBudget(of("8", "11"))).toContain("comes to $11.00. People");
  const off = wallet({ alerts: alerts({ month_budget: "10", budget_percent: 0 }) });
  expect(warnedOfBudget(off)).toContain("switched");
});

test("a wallet says how long it lasts", () => {
  expect(lasts(wallet({ lasts_hours: 0 }))).toBe("lasts less than an hour");
  expect(lasts(wallet({ lasts_hours: 1 }))).toBe("lasts 1 hour");
  expect(lasts(wallet({ lasts_hours: 5 }))).toBe("lasts 5 hours");
  expect(lasts(wallet({ lasts_hours: 100 }))).toBe("lasts 4 days");
  expect(lasts(wallet({ lasts_hours: null })).trim()).toBe("");
});

test("another cost has the wallet run out on another day", () => {
  expect(runsOut(wallet({}), 0.1, NOW)).toBe("on 3 Dec 2026");
  expect(runsOut(wallet({}), 0.05, NOW)).toBe("on 7 Dec 2026");
  expect(runsOut(wallet({}), 0, NOW)).toBe(null);
  expect(runsOut(wallet({ billing_enabled: false }), 0.1, NOW)).toBe(null);
  // Nothing runs yet: the balance is all there.
  expect(runsOut(wallet({ lasts_hours: null, cost_per_hour: "0" }), 0.1, NOW)).toBe("on 3 Dec 2026");
  expect(runsOut(wallet({ lasts_hours: 0 }), 0.1, NOW)).toBe("at once");
});
