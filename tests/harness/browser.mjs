// A real Chromium that comes from npm alone: the package contains the browser for Linux on x64. On other systems the
// tests use an installed Chrome, or the program that KEYCAP_CHROME names.

import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { inRoot, toolsDir } from "../../scripts/paths.mjs";

// The package's own flags are not used: they disable web security, which the tests of our pages need.
const QUIET = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu"];

/**
 * A headless browser with an empty profile: a new one, or the one at the address in KEYCAP_BROWSER. The caller closes
 * it; at the latest it ends with the test file. A browser that others use too only loses what the caller made in it.
 * @returns {Promise<import("playwright-core").Browser>}
 */
export async function browser() {
  const address = process.env.KEYCAP_BROWSER;
  if (address) return (await playwright()).connect(address);
  return launched(async (options) => (await playwright()).launch(options));
}

/**
 * Launches a headless browser for several test files, which find it by its address. The caller closes it.
 * @returns {Promise<import("playwright-core").BrowserServer>}
 */
export async function browserServer() {
  return launched(async (options) => (await playwright()).launchServer(options));
}

/**
 * Launches a headless browser whose profile is in a folder: cookies, storage and cache outlive the browser. The caller
 * closes it.
 * @param {string} folder @param {import("playwright-core").BrowserContextOptions} [own]
 * @returns {Promise<import("playwright-core").BrowserContext>}
 */
export async function browserWithProfile(folder, own = {}) {
  return launched(async (options) => (await playwright()).launchPersistentContext(folder, { ...options, ...own }));
}

/** The package is imported only now: a fresh clone does not have it before `npm run screenshots` has fetched it. */
const playwright = async () => (await import("playwright-core")).chromium;

/**
 * @template T
 * @param {(options: import("playwright-core").LaunchOptions) => Promise<T>} launch
 */
async function launched(launch) {
  const isPackaged = process.platform === "linux" && process.arch === "x64";
  const executablePath = process.env.KEYCAP_CHROME || (isPackaged ? await unpackedChromium() : undefined);
  if (executablePath) return launch({ executablePath, args: ["--no-sandbox", ...QUIET] });
  return launch({ channel: "chrome", args: QUIET }).catch((error) => {
    throw new Error(`The browser tests need Chrome: install it, or name a Chromium with KEYCAP_CHROME. (${error.message})`);
  });
}

/** The packaged browser, unpacked once per version and machine. */
async function unpackedChromium() {
  const { version } = JSON.parse(await readFile(inRoot("node_modules", "@sparticuz", "chromium", "package.json"), "utf8"));
  const folder = join(toolsDir, `chromium-${version}`);
  if (!existsSync(folder)) await unpackChromium(folder);
  return join(folder, "chromium");
}

/** @param {string} folder */
async function unpackChromium(folder) {
  const { default: packaged } = await import("@sparticuz/chromium");
  // The package unpacks into the temporary folder and reuses any Chromium that it finds there, of any version, and two
  // test files may do so at once. So each process gets a temporary folder of its own, and the first result is used.
  const aside = `${folder}-${process.pid}`;
  await mkdir(aside, { recursive: true });
  const usual = process.env.TMPDIR;
  process.env.TMPDIR = aside;
  try {
    await packaged.executablePath();
  } finally {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
  }
  await rename(aside, folder).catch(async (error) => {
    await rm(aside, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  });
}
