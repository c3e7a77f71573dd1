import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { lasts, runsOut } from "./wallet_words";

const NOW = Date.parse("2026-11-29T12:00:00Z");

function wallet(some: Partial<Schemas["WalletAnswer"]>): Schemas["WalletAnswer"] {
  return {
    balance: "10.00",
    billing_enabled: true,
    cost_per_hour: "0.10",
    forecast: "0",
    lasts_hours: 100,
    month: "2026-11",
    month_to_date: "0",
    organization_id: "",
    suspended_apps: 0,
    warning: null,
    ...some,
  };
}

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
