// Money, sizes and rates in words. Amounts come as decimal text and are only rounded where they are shown.

// Made once: a long list has an amount in each row, and making one of these takes longer than using it.
const FINE = dollars({ maximumFractionDigits: 4, maximumSignificantDigits: 2, roundingPriority: "morePrecision" });
const CENTS = dollars({ maximumFractionDigits: 2 });

function dollars(precision: Intl.NumberFormatOptions) {
  return new Intl.NumberFormat("en-US", {
    style: "currency",
    currency: "USD",
    signDisplay: "negative",
    minimumFractionDigits: 2,
    ...precision,
  });
}

/** An amount of money, such as "$0.0069"; small ones keep what makes them different. */
export const money = (amount: string): string => (Math.abs(Number(amount)) < 1 ? hourly(amount) : cents(amount));

/** An amount that counts in whole cents, such as a balance. */
export const cents = (amount: string): string => CENTS.format(amount as `${number}`);

/** What an hour costs, which counts in parts of a cent as well where it is much. */
export const hourly = (amount: string): string => FINE.format(amount as `${number}`);

/** Hours of a month, as plans count them. */
const HOURS_OF_A_MONTH = 730n;

export function perMonth(anHour: string): string {
  return cents(`${exact(anHour) * HOURS_OF_A_MONTH}e-${DECIMALS}`);
}

/** More than any amount has. */
const DECIMALS = 18;

/** An amount as a whole number, of parts that are as small as `DECIMALS` says: what is reckoned with it is exact. */
export function exact(amount: string): bigint {
  const [whole, part = ""] = amount.split(".");
  return BigInt(whole + part.slice(0, DECIMALS).padEnd(DECIMALS, "0"));
}

/** An amount as people write it: without the zeros that the API fills it up with. */
export function short(amount: string | null | undefined): string {
  return amount?.replace(/\.([0-9]*[1-9])?0*$/, (_, digits) => (digits ? `.${digits}` : "")) ?? "";
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
