// Small arithmetic for the measurements.

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number} value @param {number} [places] */
export const fixed = (value, places = 2) => value.toFixed(places);

/** A table as text: the first column is aligned left, the others right. @param {string[][]} rows */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (/** @type {string[]} */ row) => row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]) : cell.padStart(widths[n]))).join("  ");
  return rows.map((row) => `  ${line(row).trimEnd()}`).join("\n");
}

/**
 * Measures each of the programs once a round, in the one order and in the other order in turn: what else the machine
 * does changes from second to second, and so it affects all programs of a round.
 * @template P, M
 * @param {Record<string, P>} programs @param {number} count @param {(program: P) => Promise<M>} measure
 * @returns {Promise<Record<string, M>[]>}
 */
export async function inRounds(programs, count, measure) {
  const rounds = [];
  for (let n = 0; n < count; n += 1) {
    /** @type {Record<string, M>} */
    const round = {};
    const order = Object.entries(programs);
    for (const [name, program] of n % 2 ? order.reverse() : order) round[name] = await measure(program);
    rounds.push(round);
  }
  return rounds;
}

/** The median of the rounds' ratios, and twice its standard error. @param {number[]} ratios */
export function medianRatio(ratios) {
  const ratio = median(ratios);
  const deviation = median(ratios.map((one) => Math.abs(one - ratio)));
  // For a normal distribution, the standard deviation is 1.48 times that, and a median's error is 1.25 times a mean's.
  const error = (2 * 1.25 * 1.48 * deviation) / Math.sqrt(ratios.length);
  return { ratio, shown: `${fixed(ratio, 3)} × ± ${fixed(error, 3)}` };
}
