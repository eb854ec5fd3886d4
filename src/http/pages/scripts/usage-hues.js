// A colour belongs to its group, in every chart and every range: it follows from the group's id, unless two groups of one
// chart would get the same.

/** @import { Series } from "./usage-types.js" */

/** As many as groups stand by themselves. The stylesheet names their colours. */
const HUES = 8;

/** @type {WeakMap<Series[], string[]>} */
const known = new WeakMap();

/** The class of a series. @param {Series[]} series @param {number} of */
export function hueOf(series, of) {
  const classes = known.get(series) ?? huesOf(series);
  known.set(series, classes);
  return classes[of];
}

/** @param {Series[]} series */
function huesOf(series) {
  /** @type {Set<number>} */
  const taken = new Set();
  return series.map(({ kind, one, two }) => {
    if (kind !== "group") return `is-${kind.replaceAll("_", "-")}`;
    if (one === null) return "is-all";
    let hue = hash(`${one.id ?? ""} ${two?.id ?? ""}`) % HUES;
    while (taken.has(hue) && taken.size < HUES) hue = (hue + 1) % HUES;
    taken.add(hue);
    return `is-hue-${hue}`;
  });
}

/** FNV-1a. @param {string} text */
function hash(text) {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ /** @type {number} */ (letter.codePointAt(0)), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
