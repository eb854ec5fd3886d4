// Bundles what the pages load into public/assets/: one script for each page, one
// stylesheet for all, one more for the console, and the icon. Each file has
// the hash of its content in its name, so that browsers may keep it for ever. Nothing is minified: 24 KB gzipped
// instead of 20, and anyone can read in the browser what the page does with a secret.

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { inRoot, root } from "./paths.mjs";

/** @typedef {"landing" | "docs" | "keys" | "account" | "usage" | "leak" | "device" | "console" | "style" | "tables" | "charts" | "icon"} PageFile */

/** The sources of what pages load. The Worker is not compiled from them. */
export const PAGE_SOURCES = ["scripts", "styles"].map((folder) => join("src", "http", "pages", folder));

const ENTRIES = [
  "scripts/landing.js",
  "scripts/docs.js",
  "scripts/keys.js",
  "scripts/account.js",
  "scripts/usage.js",
  "scripts/leak.js",
  "scripts/device.js",
  "scripts/console.js",
  "styles/style.css",
  "styles/tables.css",
  "styles/charts.css",
  "icon.svg",
].map((path) => inRoot("src", "http", "pages", path));

/** Browsers may be as old as the language that the sources are checked against: tsconfig.pages.json. */
const TARGET = "es2022";

const ASSETS = inRoot("public", "assets");

/**
 * Bundles some sources. An icon is copied.
 * @param {string[]} entryPoints
 * @returns {Promise<{ name: string, content: Uint8Array }[]>}
 */
export async function bundle(entryPoints) {
  const { buildSync } = await import("esbuild"); // setup() has installed it, with wrangler
  const { outputFiles } = buildSync({
    absWorkingDir: root,
    entryPoints,
    bundle: true,
    write: false,
    format: "esm",
    target: TARGET,
    loader: { ".svg": "copy" },
    entryNames: "[name]",
    outdir: ASSETS,
    logLevel: "error",
  });
  return outputFiles.map(({ path, contents }) => ({ name: basename(path), content: contents }));
}

/** `keys.js` → `keys-0123456789abcdef.js`. @param {string} name @param {Uint8Array} content */
function named(name, content) {
  const end = extname(name);
  return `${basename(name, end)}-${createHash("sha256").update(content).digest("hex").slice(0, 16)}${end}`;
}

/** What the pages load, by the names that it gets. */
export async function pageFiles() {
  const bundled = await bundle(ENTRIES);
  return bundled.map(({ name, content }) => ({ file: /** @type {PageFile} */ (basename(name, extname(name))), name: named(name, content), content }));
}

/**
 * Writes what the pages load, and removes what they no longer load. Returns the addresses.
 * @returns {Promise<Record<PageFile, string>>}
 */
export async function buildPages() {
  const files = await pageFiles();
  for (const { name, content } of files) await writeChanged(join(ASSETS, name), content);
  const wanted = new Set(files.map(({ name }) => name));
  for (const name of await readdir(ASSETS)) if (!wanted.has(name)) await rm(join(ASSETS, name), { recursive: true });
  return /** @type {Record<PageFile, string>} */ (Object.fromEntries(files.map(({ file, name }) => [file, `/assets/${name}`])));
}

/**
 * Writes a file whose content is another one. A Worker that runs from this folder watches public/ and build/ and
 * restarts at every write.
 * @param {string} file @param {string | Uint8Array} content
 */
export async function writeChanged(file, content) {
  const before = await readFile(file).catch(() => undefined);
  if (before?.equals(Buffer.from(content))) return;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
