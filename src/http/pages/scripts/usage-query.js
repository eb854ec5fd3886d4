// What the page `/usage` shows is said by its address alone, with exact dates, so that going back, reloading and sharing
// lead to the same page. The functions are pure: they use no DOM, no clock and no network.

/** @import { Group } from "./usage-types.js" */

const DAY_MS = 86_400_000;

/** More days than this are answered by months, and then the range begins with a month. */
export const MOST_DAYS = 92;

/**
 * @typedef {object} View
 * @property {string} from empty if the address names no day
 * @property {string} to
 * @property {string} group one or two groups with a comma between, or `none`
 * @property {"own" | "all"} scope
 * @property {string} skip how many of the largest groups are in the rest
 * @property {Partial<Record<Filter, string>>} only
 *
 * @typedef {"member" | "key" | "model" | "plan" | "project" | "workspace"} Filter
 */

/** @type {Filter[]} */
export const FILTERS = ["member", "key", "model", "plan", "project", "workspace"];

/** What usage can be grouped by, in the order of the choice. @type {{ id: Group, name: string, plural: string, isAdmins: boolean }[]} */
export const GROUPS = [
  { id: "model", name: "Model", plural: "models", isAdmins: false },
  { id: "key", name: "Key", plural: "keys", isAdmins: false },
  { id: "project", name: "Project", plural: "projects", isAdmins: false },
  { id: "workspace", name: "Workspace", plural: "workspaces", isAdmins: false },
  { id: "plan", name: "Plan", plural: "plans", isAdmins: false },
  { id: "member", name: "Member", plural: "members", isAdmins: true },
  { id: "source", name: "Tool", plural: "tools", isAdmins: true },
];

/** @param {string} id */
export const groupName = (id) => GROUPS.find((group) => group.id === id)?.name ?? id;

/** What is shown if the address names no group. */
const USUAL_GROUP = "model";

/** @param {string} search the part of an address from "?" on @returns {View} */
export function viewOf(search) {
  const query = new URLSearchParams(search);
  const said = (/** @type {string} */ name) => query.get(name) ?? "";
  return {
    from: said("from"),
    to: said("to"),
    group: said("group") || USUAL_GROUP,
    scope: said("scope") === "all" ? "all" : "own",
    skip: said("skip"),
    only: Object.fromEntries(FILTERS.flatMap((name) => (said(name) === "" ? [] : [[name, said(name)]]))),
  };
}

/** @param {View} view */
function query(view) {
  const query = new URLSearchParams();
  if (view.from !== "") query.set("from", view.from);
  if (view.to !== "") query.set("to", view.to);
  if (view.group !== "none") query.set("group", view.group);
  if (view.scope === "all") query.set("scope", "all");
  for (const name of FILTERS) if (view.only[name]) query.set(name, view.only[name]);
  if (view.skip !== "" && view.skip !== "0") query.set("skip", view.skip);
  return query;
}

/** What the API is asked. @param {View} view */
export const apiQuery = (view) => String(query(view));

/** The page's own address. @param {View} view */
export function address(view) {
  const said = query(view);
  if (view.group === "none") said.set("group", "none");
  return `/usage?${said}`;
}

/**
 * The view with some parts changed. Another question begins with its largest groups.
 * @param {View} view @param {Partial<View>} change @returns {View}
 */
export const changed = (view, change) => ({ ...view, skip: "", ...change });

/** The view of one group alone. @param {View} view @param {Filter} filter @param {string | null} value @returns {View} */
export function narrowed(view, filter, value) {
  const { [filter]: _, ...others } = view.only;
  const only = value === null ? others : { ...others, [filter]: value };
  // Usage of one model is no longer worth grouping by model.
  const groups = view.group.split(",").filter((group) => value === null || group !== filter);
  const group = groups.length > 0 ? groups.join(",") : NEXT_GROUP[filter];
  return changed(view, { only, group });
}

/** One click deeper: from a member to their keys, from a key to its models. @type {Record<Filter, string>} */
const NEXT_GROUP = { member: "key", key: "model", model: "key", plan: "model", project: "key", workspace: "model" };

/** @param {number} ms */
export const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);

/** The beginning of a UTC day, in milliseconds; NaN if there is no such day. @param {string} day */
export function startOf(day) {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN;
  return Number.isFinite(ms) && dayOf(ms) === day ? ms : NaN;
}

/** How many days a range has, both ends included. @param {string} from @param {string} to */
export const daysIn = (from, to) => Math.round((startOf(to) - startOf(from)) / DAY_MS) + 1;

/** @param {string} day @param {number} days */
export const plusDays = (day, days) => dayOf(startOf(day) + days * DAY_MS);

/** The first day of the month so many months before that of a day. @param {string} day @param {number} back */
function monthBefore(day, back) {
  const date = new Date(startOf(day));
  return dayOf(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - back, 1));
}

/**
 * The ranges that one click gives, with their exact dates.
 * @param {number} now
 */
export function presets(now) {
  const today = dayOf(now);
  const month = monthBefore(today, 0);
  return [
    { name: "7 days", from: plusDays(today, -6), to: today },
    { name: "30 days", from: plusDays(today, -29), to: today },
    { name: "90 days", from: plusDays(today, -89), to: today },
    { name: "This month", from: month, to: today },
    { name: "Last month", from: monthBefore(today, 1), to: plusDays(month, -1) },
    { name: "12 months", from: monthBefore(today, 11), to: today },
  ];
}

/** What is wrong with a range that somebody chose; empty if nothing is. @param {string} from @param {string} to @param {number} now */
export function rangeError(from, to, now) {
  const today = dayOf(now);
  if (!Number.isFinite(startOf(from)) || !Number.isFinite(startOf(to))) return "Choose two dates.";
  if (from > to) return "The first day must not be later than the last one.";
  if (to > today) return `The last day must not be later than today, ${today} in UTC.`;
  if (daysIn(from, to) > 1_096) return "Choose at most three years.";
  if (daysIn(from, to) > MOST_DAYS && !from.endsWith("-01")) return `More than ${MOST_DAYS} days are shown by months. Begin with the first of a month.`;
  return "";
}
