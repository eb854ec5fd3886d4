// One press of a button is one request, no matter how often it is sent before its answer arrives. The service
// recognises it by its Idempotency-Key: if it is sent again after a lost answer, the service does nothing a second
// time, and says so.

import { call } from "./api.js";

/** @import { Change, Outcome } from "./api.js" */

/** How often a request is sent in all while the service is still working on it. */
const TRIES = 12;
/** The wait before it is sent again, if the answer has no Retry-After. */
const USUAL_WAIT_SECS = 5;

export class Press {
  /** The last request that got no answer. @type {{ request: string, key: string } | null} */
  #open = null;

  /**
   * @template T
   * @param {Change} method
   * @param {string} path
   * @param {Record<string, unknown>} [body]
   * @returns {Promise<Outcome<T>>}
   */
  async send(method, path, body = {}) {
    const request = JSON.stringify([method, path, body]);
    if (this.#open?.request !== request) this.#open = { request, key: crypto.randomUUID() };
    const { key } = this.#open;
    for (let tries = 1; ; tries += 1) {
      const answer = /** @type {Outcome<T>} */ (await call(method, path, body, key));
      const isUnderWay = answer.outcome === "refused" && answer.problem.code === "request_in_progress";
      if (isUnderWay && tries < TRIES) await pause(answer.problem.retryAfterSecs ?? USUAL_WAIT_SECS);
      else if (isUnderWay) return { outcome: "lost", between: false };
      else {
        if (answer.outcome !== "lost") this.#open = null;
        return answer;
      }
    }
  }
}

/** @param {number} seconds */
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
