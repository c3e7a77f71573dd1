// Money, sizes and rates in words. Amounts come as decimal text and are only rounded where they are shown.

/** An amount of money, such as "$0.0069"; small ones keep what makes them different. */
export function money(amount: string, digits?: number): string {
  const value = Number(amount);
  const shown = digits ?? (value !== 0 && Math.abs(value) < 1 ? 4 : 2);
  return new Intl.NumberFormat("en-US", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: Math.min(2, shown),
    maximumFractionDigits: shown,
  }).format(value);
}

/** Hours of a month, as plans count them. */
const HOURS_OF_A_MONTH = 730;

export function perMonth(anHour: string): string {
  return money(String(Number(anHour) * HOURS_OF_A_MONTH), 2);
}

/** Memory, counted as plans count it: a plan of 512 MB has 512 of them. */
export const memory = (count: number) => bytes(count, 1024);

/** Memory as plans give it, in MB. */
export const ram = (megabytes: number) =>
  megabytes < 1024 ? `${megabytes} MB` : `${Math.round((megabytes / 1024) * 100) / 100} GB`;

export function bytes(count: number, step = 1000): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A number with up to two decimals. */
export const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(2));

export const cores = (value: number) => {
  // Less than that is nothing, in thousandths.
  const shown = value < 0.0005 ? "0" : value < 1 ? value.toFixed(3) : number(value);
  return `${shown} ${value === 1 ? "core" : "cores"}`;
};

export const perSecond = (value: number) => `${value < 10 ? number(value) : Math.round(value)}/s`;

/** Requests of a minute; a few keep a digit, because one in five minutes is not none. */
export function perMinute(value: number): string {
  if (value > 0 && value < 0.1) return "< 0.1/min";
  return `${new Intl.NumberFormat("en-US", { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)}/min`;
}

export const traffic = (value: number) => `${bytes(value)}/s`;

/** How long an answer took, of seconds. */
export const duration = (value: number) => (value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`);

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
