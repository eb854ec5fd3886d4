// `npm run screenshots`: takes the pictures in docs/screenshots/, of the built product and with a member of the
// sandbox. `npm run screenshots -- FOLDER` instead puts every picture of every state into that folder, at all widths,
// to look through.

import { mkdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { signIn } from "../tests/harness/index.mjs";
import { DESK, Deployment, PHONE } from "../tests/browser/support.mjs";
import { build } from "./build.mjs";
import { inRoot } from "./paths.mjs";
import { runMain, setup } from "./setup.mjs";

/** @typedef {import("../tests/browser/support.mjs").Visitor} Visitor */
/** @typedef {{ width: number, height: number }} Size */
/** @typedef {"light" | "dark"} Scheme */

/** A larger picture is too heavy for a repository. */
const PICTURE_BYTES = 150 * 1024;
/** Examples show the sandbox's address. The port is fixed, so that new pictures differ only where the pages do. */
const SANDBOX_PORT = 8791;
const TABLET = { width: 768, height: 1024 };

/**
 * The pictures for the repository: the suffix of the name, the size and the colour scheme.
 * @type {[string, Size, Scheme][]}
 */
const KEPT = [["", DESK, "light"], ["-dark", DESK, "dark"], ["-phone", PHONE, "light"]];
/** Which states are pictured for the repository, by suffix. @type {Record<string, string[]>} */
const STATES_KEPT = {
  "": ["landing", "claim", "secret", "key", "docs", "console", "console-member"],
  "-dark": ["key", "console-keys"],
  "-phone": ["key", "console-members"],
};

/**
 * The persona for each suffix. Each walk claims a key, so each needs a member of its own.
 * @type {Record<string, string>}
 */
const PERSONAS = { "": "member", "-dark": "second", "-phone": "operator" };
/**
 * States that are pictured beyond the first view, and how far: for a key, down to the end of its tabs.
 * @type {Record<string, number>}
 */
const TALL = { key: 1_100 };

/** @type {[string, Size, Scheme][]} */
const ALL = [DESK, TABLET, PHONE].flatMap((size) => /** @type {Scheme[]} */ (["light", "dark"]).map((scheme) => /** @type {[string, Size, Scheme]} */ ([`-${size.width}-${scheme}`, size, scheme])));

/**
 * Walks through all pages once, and pictures each state.
 * @param {Deployment} deployment @param {Size} viewport @param {Scheme} colorScheme @param {string} persona
 * @param {(state: string, visitor: Visitor) => Promise<void>} picture
 */
async function walk(deployment, viewport, colorScheme, persona, picture) {
  const visitor = await deployment.visitor({ viewport, colorScheme });
  visitor.expects(401, 404);
  for (const [state, path] of [["landing", "/"], ["docs", "/docs"], ["missing", "/no-such-page"], ["sign-in-error", "/?auth_error=denied"], ["signed-out", "/keys"]]) {
    await visitor.open(path);
    if (state === "signed-out") await visitor.settled();
    await picture(state, visitor);
  }
  await visitor.signIn(persona);
  await picture("claim", visitor);
  await visitor.claimButton.click();
  await picture("claim-missed", visitor);
  await visitor.claim();
  await picture("secret", visitor);
  await visitor.stored.click();
  await visitor.refreshed();
  await picture("ready", visitor);
  await deployment.spend(1.25);
  await visitor.page.reload();
  await visitor.settled();
  await visitor.refreshed();
  await picture("key", visitor);
  await visitor.page.getByRole("tab", { name: "Claude Code" }).click();
  await picture("claude-code", visitor);
  await visitor.page.getByRole("button", { name: /Account menu/ }).click();
  await picture("menu", visitor);
  await visitor.leave();
}

/**
 * Pictures what a visitor sees while OpenRouter does not answer, and while admins decide.
 * @param {Deployment} deployment @param {Size} viewport @param {Scheme} colorScheme @param {string} persona
 * @param {(state: string, visitor: Visitor) => Promise<void>} picture
 */
async function walkAside(deployment, viewport, colorScheme, persona, picture) {
  const visitor = await deployment.visitor({ viewport, colorScheme });
  const operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  const lookAgain = async () => {
    await visitor.page.reload();
    await visitor.settled();
  };
  /** @param {string} state @param {string} answer */
  const decide = async (state, answer) => {
    const { requests } = (await operator.get("/api/v1/admin/requests")).body;
    await operator.patch(`/api/v1/admin/requests/${requests[0].id}`, { state, answer });
    await lookAgain();
  };
  const ask = visitor.page.getByRole("button", { name: "Ask for approval" });
  const note = visitor.page.getByRole("textbox");
  await operator.patch("/api/v1/admin/settings", { claims: "by_approval" });
  await visitor.signIn(persona);
  await picture("approval", visitor);
  await note.fill("A course on parsers. ".repeat(25));
  await ask.click();
  await picture("note-too-long", visitor);
  await note.fill("A course on parsers.");
  await ask.click();
  await visitor.page.getByText("You have asked").waitFor();
  await picture("asked", visitor);
  await decide("declined", "Tell us more: which course?");
  await picture("declined", visitor);
  await ask.click();
  await visitor.page.getByText("You have asked").waitFor();
  await decide("approved", "Welcome.");
  await picture("approved", visitor);
  await operator.patch("/api/v1/admin/settings", { claims: "open" });
  await deployment.sandbox.fault({ operation: "openrouter.keys.get", kind: "reset_before", times: 0 });
  await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
  await picture("unread", visitor);
  await deployment.sandbox.clearFaults();
  await deployment.spend(4.2);
  await lookAgain();
  await visitor.refreshed();
  await deployment.spend(0);
  await deployment.worker.d1("UPDATE generations SET usage_read_at = usage_read_at - 720 WHERE usage_read_at IS NOT NULL");
  await deployment.sandbox.fault({ operation: "openrouter.keys.get", kind: "reset_before", times: 0 });
  await lookAgain();
  await visitor.refreshed();
  await picture("outage", visitor);
  await deployment.sandbox.clearFaults();
  await deployment.spend(0.8);
  await lookAgain();
  await visitor.refreshed();
  await picture("limit-reached", visitor);
  await visitor.leave();
}

/**
 * Pictures what happens to a key: a question, disabled, a new secret, gone, and made anew with nothing left.
 * @param {Deployment} deployment @param {Size} viewport @param {Scheme} colorScheme @param {string} persona
 * @param {(state: string, visitor: Visitor) => Promise<void>} picture
 */
async function walkActions(deployment, viewport, colorScheme, persona, picture) {
  const visitor = await deployment.visitor({ viewport, colorScheme });
  const { page } = visitor;
  /** @param {string} name */
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  /** @param {string} word */
  const chip = (word) => page.locator("#keys .card .chip").getByText(word).waitFor();
  await visitor.signIn(persona);
  await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
  await press("New secret…");
  await picture("question", visitor);
  await press("Cancel");
  await press("Disable");
  await chip("disabled by you");
  await picture("disabled", visitor);
  await press("Enable");
  await chip("active");
  await deployment.spend(5);
  await press("Delete…");
  await press("Delete it");
  await visitor.claimButton.waitFor();
  await picture("claim-spent", visitor);
  await visitor.claim();
  await picture("secret-spent", visitor);
  await visitor.stored.click();
  await picture("works-later", visitor);
  await deployment.deleteUpstream();
  await press("Refresh");
  await chip("missing at OpenRouter");
  await picture("missing-upstream", visitor);
  await page.route("**/api/**", (route) => route.fulfill({ status: 403, contentType: "text/html", body: "" }));
  await page.reload();
  await visitor.settled();
  await picture("between", visitor);
  await visitor.context.close();
}

/**
 * Pictures several keys: the forms of their cards, a key in its grace period, and the account.
 * @param {Deployment} deployment @param {Size} viewport @param {Scheme} colorScheme @param {string} persona
 * @param {(state: string, visitor: Visitor) => Promise<void>} picture
 */
async function walkSeveral(deployment, viewport, colorScheme, persona, picture) {
  const operator = await signIn(deployment.worker, deployment.sandbox, "operator");
  await operator.patch("/api/v1/admin/plans/default", { max_active_keys: 5 });
  const visitor = await deployment.visitor({ viewport, colorScheme });
  const { page } = visitor;
  /** @param {string} name */
  const press = (name, within = page.locator("body")) => within.getByRole("button", { name, exact: true }).click();
  /** @param {string} name */
  const card = (name) => page.getByRole("region", { name, exact: true });
  /** @param {string} name @param {string} limit */
  const create = async (name, limit) => {
    await press("Create a key");
    await page.keyboard.type(name);
    await page.keyboard.press("Tab");
    await page.keyboard.type(limit);
    await press("Create it");
    await visitor.stored.click();
    await card(name).waitFor();
  };
  await visitor.signIn(persona);
  await visitor.claim();
  await visitor.stored.click();
  await visitor.refreshed();
  await deployment.spend(1.25);
  await press("Create a key");
  await picture("create", visitor);
  await press("Create it");
  await picture("create-refused", visitor);
  await press("Cancel");
  await create("Laptop", "2.50");
  await deployment.spend(2.5);
  await page.reload();
  await visitor.refreshed();
  await press("Rename", card("OpenRouter key"));
  await picture("rename", visitor);
  await page.keyboard.type("Notebooks");
  await page.keyboard.press("Enter");
  await card("Notebooks").waitFor();
  await press("Disable", card("Notebooks"));
  await card("Notebooks").getByText("The key is disabled.").waitFor();
  await picture("keys", visitor);
  await press("Undo", card("Notebooks"));
  await card("Notebooks").getByText("The key is enabled.").waitFor();
  await press("New secret…", card("Notebooks"));
  await page.getByRole("radio", { name: "works on for a while" }).check();
  await picture("question-grace", visitor);
  await press("Make a new secret");
  await visitor.stored.click();
  await press("History", card("Notebooks"));
  await card("Notebooks").locator(".history li").first().waitFor();
  await picture("grace-history", visitor);
  await press("Own limit…", card("Laptop"));
  await picture("question-limit", visitor);
  await press("Cancel");
  await create("Continuous integration of the parser", "");
  await create("Phone", "");
  await page.reload();
  await visitor.refreshed();
  await picture("folded", visitor);
  await press("Show everything", card("Phone"));
  await press("Delete…", card("Phone"));
  await picture("question-delete", visitor);
  await press("Delete it");
  await page.getByText(/The key is (deleted|being removed)\./).first().waitFor();
  await page.locator(".ended summary").click();
  await picture("ended", visitor);
  await visitor.open("/account");
  await press("Show the history");
  await page.locator(".history li").first().waitFor();
  await picture("account", visitor);
  await press("Leave…");
  await picture("question-leave", visitor);
  await operator.patch("/api/v1/admin/plans/default", { max_active_keys: 1 });
  await visitor.context.close();
}

/**
 * Pictures the pages of the console.
 * @param {Deployment} deployment @param {Size} viewport @param {Scheme} colorScheme
 * @param {(state: string, visitor: Visitor) => Promise<void>} picture
 */
async function walkConsole(deployment, viewport, colorScheme, picture) {
  const visitor = await deployment.visitor({ viewport, colorScheme });
  await visitor.signIn("operator");
  const [{ public_id: member }] = await deployment.worker.d1("SELECT public_id FROM members WHERE login = 'member'");
  for (const section of ["", "members", `members/${member}`, "keys", "requests", "switches", "runs", "plans", "blocks", "allotments", "audit"]) {
    await visitor.open(`/admin/${section}`.replace(/\/$/, ""));
    await visitor.page.locator('#console[aria-busy="false"]').waitFor();
    await picture(section === "" ? "console" : `console-${section === `members/${member}` ? "member" : section}`, visitor);
  }
  await visitor.leave();
}

/** @param {Deployment} deployment */
async function takeKept(deployment) {
  const folder = inRoot("docs", "screenshots");
  await mkdir(folder, { recursive: true });
  for (const [suffix, size, scheme] of KEPT) {
    /** @param {string} state @param {Visitor} visitor */
    const picture = async (state, { page }) => {
      if (!STATES_KEPT[suffix].includes(state)) return;
      const path = join(folder, `${state}${suffix}.png`);
      await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width: size.width, height: TALL[state] ?? size.height } });
      const bytes = (await stat(path)).size;
      if (bytes > PICTURE_BYTES) throw new Error(`${path} weighs ${bytes} bytes, more than ${PICTURE_BYTES}`);
      console.log(`${path}: ${Math.round(bytes / 1024)} KB`);
    };
    await walk(deployment, size, scheme, PERSONAS[suffix], picture);
    await walkConsole(deployment, size, scheme, picture);
  }
}

/** @param {Deployment} deployment @param {string} folder */
async function takeAll(deployment, folder) {
  await mkdir(folder, { recursive: true });
  for (const [index, [suffix, size, scheme]] of ALL.entries()) {
    /** @param {string} state @param {Visitor} visitor */
    const picture = async (state, { page }) => {
      // A dialog is as large as the window; every other state is pictured to its end.
      await page.screenshot({ path: join(folder, `${state}${suffix}.png`), fullPage: !/^(secret|question)/.test(state) });
    };
    await walk(deployment, size, scheme, `load-${index + 10}`, picture);
    await walkAside(deployment, size, scheme, `load-${index + 30}`, picture);
    await walkActions(deployment, size, scheme, `load-${index + 50}`, picture);
    await walkConsole(deployment, size, scheme, picture);
    await walkSeveral(deployment, size, scheme, `load-${index + 70}`, picture);
  }
}

await runMain(async () => {
  const [folder] = process.argv.slice(2);
  await setup();
  await build();
  const deployment = await Deployment.open({ sandboxPort: SANDBOX_PORT });
  try {
    await (folder ? takeAll(deployment, resolve(folder)) : takeKept(deployment));
  } finally {
    await deployment.close();
  }
});
