// Amounts of US dollars as the API writes them, exact to the billionth of a dollar. They are added as whole numbers,
// because a float would add its own rounding.

const NANOS = 1_000_000_000n;

/** "1.25" → 1250000000n. A text that is no amount counts as nothing. @param {string | null | undefined} amount */
export function nano(amount) {
  const [, minus = "", whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(amount ?? "") ?? [];
  if (whole === "") return 0n;
  const value = BigInt(whole) * NANOS + BigInt(fraction.padEnd(9, "0"));
  return minus === "" ? value : -value;
}

/** 1250000000n → "1.25", with at least two and at most nine decimals, as the API writes it. @param {bigint} value */
export function amountOf(value) {
  const [minus, left] = value < 0n ? ["-", -value] : ["", value];
  const fraction = String(left % NANOS).padStart(9, "0").replace(/0{1,7}$/, "");
  return `${minus}${left / NANOS}.${fraction}`;
}

/** @param {Iterable<string>} amounts */
export function sum(amounts) {
  let total = 0n;
  for (const amount of amounts) total += nano(amount);
  return amountOf(total);
}

/** The exact amount: "$0.001234", "$5.00". @param {string} amount */
export const exact = (amount) => (amount.startsWith("-") ? `−$${amount.slice(1)}` : `$${amount}`);

/** A part of a whole, from 0 to 1; 0 if there is no whole. @param {string} part @param {string} whole */
export const shareOf = (part, whole) => (nano(whole) <= 0n ? 0 : Number(nano(part)) / Number(nano(whole)));
