// Everything that is stored about the member, collected page by page and saved as one file.

import { call, saveAs } from "./api.js";

/** @import { Outcome } from "./api.js" */

/** More pages than any member has; a service that names ever new ones is not followed for ever. */
const MOST_PAGES = 1_000;

/** @returns {Promise<"saved" | "failed" | "signed_out">} */
export async function exportAll() {
  /** @type {Record<string, unknown>[]} */
  const pages = [];
  let after = "";
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = /** @type {Outcome<Record<string, unknown>>} */ (await call("GET", `/api/v1/me/export${after}`));
    if (answer.outcome === "refused" && answer.status === 401) return "signed_out";
    if (answer.outcome !== "done") return "failed";
    const { next, ...body } = answer.body;
    pages.push(body);
    if (typeof next !== "string") return download(pages.length === 1 ? pages[0] : joined(pages));
    after = `?after=${encodeURIComponent(next)}`;
  }
  return "failed";
}

/**
 * The pages as one: lists are put together, and any other member is the same on each page.
 * @param {Record<string, unknown>[]} pages
 */
function joined(pages) {
  /** @type {Record<string, unknown>} */
  const whole = {};
  for (const page of pages) {
    for (const [name, value] of Object.entries(page)) {
      const before = whole[name];
      whole[name] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : (before ?? value);
    }
  }
  return whole;
}

/** @param {unknown} content @returns {"saved"} */
function download(content) {
  saveAs("keycap-export.json", new Blob([`${JSON.stringify(content, null, 2)}\n`], { type: "application/json" }));
  return "saved";
}
