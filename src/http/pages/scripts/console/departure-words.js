// What the console says about people who are gone. The functions are pure.

/** @import { DepartureList } from "./types.js" */
/** @import { Tone } from "../state-words.js" */

/** @param {string} directory */
export const directoryName = (directory) => (directory === "google" ? "Google Workspace" : "The organization at GitHub");

/** @type {Record<string, string>} */
const REASONS = {
  suspended: "The account is suspended.",
  archived: "The account is archived.",
  deleted: "The account was deleted.",
  gone: "There is no such account any more.",
  no_account: "The account at GitHub does not exist any more.",
  not_a_member: "No member of the organization any more.",
};

/** @param {string} reason */
export const departureReason = (reason) => REASONS[reason] ?? reason;

/** @type {Record<string, { word: string, tone: Tone }>} */
const STATES = {
  held: { word: "waits", tone: "warn" },
  released: { word: "released", tone: "plain" },
  rejected: { word: "rejected", tone: "plain" },
  expired: { word: "expired", tone: "warn" },
};

/** @param {DepartureList} list */
export const listWords = ({ state }) => STATES[state] ?? { word: state, tone: "plain" };
