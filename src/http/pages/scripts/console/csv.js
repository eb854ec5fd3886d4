// A list as a CSV file (RFC 4180) for a spreadsheet: a byte order mark, lines that end with CR LF, amounts as bare numbers, and
// texts that no spreadsheet takes for a formula or a number. The functions are pure.

/** @typedef {Record<string, unknown>} Row */

/** Without it, spreadsheets read the file in an encoding of their system. */
const BYTE_ORDER_MARK = "\u{feff}";
/** A spreadsheet runs a text that begins so. Source of the signs: OWASP, "CSV Injection". */
const FORMULA = /^([\t\r\n]|\s*[=+\-@＝＋－＠])/;
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** A row without objects in it: `member: { id }` becomes `member_id`. @param {Row} row @param {string} [under] @returns {Row} */
const flat = (row, under = "") =>
  Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) => (typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(flat(/** @type {Row} */ (value), `${under}${name}_`)) : [[under + name, value]])),
  );

/** @param {string} column @param {unknown} value */
export function cellOf(column, value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = Array.isArray(value) ? value.join(" ") : String(value);
  const isBare = column.endsWith("_usd") && NUMBER.test(text);
  const safe = !isBare && (FORMULA.test(text) || NUMBER.test(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {Row[]} rows */
export function csvOf(rows) {
  const all = rows.map((row) => flat(row));
  // A column that only some rows have is a column of all.
  const columns = [...new Set(all.flatMap((row) => Object.keys(row)))];
  const lines = all.map((row) => columns.map((column) => cellOf(column, row[column])));
  // A file whose first column is `ID` would be taken for another format.
  const head = columns.map((column) => (column === "id" ? "public_id" : column));
  return BYTE_ORDER_MARK + [head, ...lines].map((cells) => `${cells.join(",")}\r\n`).join("");
}
