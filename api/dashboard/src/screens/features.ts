// The named extras of plans, as text that an admin edits and as words in the comparison.

type Features = Record<string, unknown>;

/** A line each: `name: value`, or the name alone for what is simply there. */
export function featureLines(features: Features): string {
  return Object.entries(features)
    .map(([name, value]) =>
      value === true ? name : `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
    )
    .join("\n");
}

/** The features that such lines say; numbers, true and false are what they look like. */
export function featuresOf(text: string): Features {
  const pairs = text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line): [string, unknown] => {
      const colon = line.indexOf(":");
      return colon < 0 ? [line, true] : [line.slice(0, colon).trim(), meant(line.slice(colon + 1).trim())];
    });
  return Object.fromEntries(pairs.filter(([name]) => name !== ""));
}

function meant(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A value as people read it. */
export function featureWords(value: unknown): string {
  if (value === true) return "yes";
  if (value === false || value === null || value === undefined) return "–";
  return typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
}

/** A feature's name as people read it, such as "Priority support" for `priority_support`. */
export function featureName(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
