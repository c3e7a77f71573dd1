import { expect, test } from "vitest";
import { featureLines, featureName, featuresOf, featureWords } from "./features";

test("features are text that can be edited, and come back as they were", () => {
  const features = { support: "e-mail: within a day", metrics_days: 7, custom_domains: true, sla: false, of: { a: 1 } };
  const lines = featureLines(features);
  expect(lines).toBe('support: e-mail: within a day\nmetrics_days: 7\ncustom_domains\nsla: false\nof: {"a":1}');
  expect(featuresOf(lines)).toEqual(features);
  expect(featuresOf(" \n: nothing\n  a :b \n")).toEqual({ a: "b" });
});

test("features are told as people read them", () => {
  expect([true, false, 7, "chat", undefined].map(featureWords)).toEqual(["yes", "–", "7", "chat", "–"]);
  expect(featureName("priority_support")).toBe("Priority support");
});
