// What the page says when an action was refused or got no answer: what happened, what did not, and what to do.

import { lostWords, sentence } from "./words.js";

/** @import { Outcome } from "./api.js" */

/** What the page says when something could not be read. @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer */
export const failedReading = (answer) => (answer.outcome === "lost" ? `${lostWords(answer).title} ${lostWords(answer).advice}` : `${sentence(answer.problem.title)} Try again in a minute.`);

/**
 * @param {Exclude<Outcome<unknown>, { outcome: "done" }>} answer
 * @returns {{ text: string, requestId: string | null }}
 */
export function failureWords(answer) {
  if (answer.outcome === "lost") {
    const { title, advice } = lostWords(answer);
    const again = answer.between ? "" : " If you press again, it is not done twice.";
    return { text: `${title} ${answer.between ? "" : "It may still have been done. "}${advice}${again}`, requestId: null };
  }
  return { text: [sentence(answer.problem.title), answer.problem.detail].join(" ").trim(), requestId: answer.problem.requestId };
}
