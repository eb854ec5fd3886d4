// A line between a Worker and its sandbox: it passes on all bytes until a test cuts it. A cut line refuses connections,
// as a host does that is down, while the sandbox keeps its state. A long line delays every answer.

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { PassThrough, Transform } from "node:stream";

/** Passes on what it gets this much later. @param {number} delayMs */
const later = (delayMs) =>
  new Transform({
    transform(bytes, _, done) {
      setTimeout(() => this.push(bytes), delayMs);
      done();
    },
    flush: (done) => void setTimeout(done, delayMs),
  });

export class Line {
  /** @type {Set<import("node:net").Socket>} */
  #ends = new Set();
  /** The connections on which an answer is awaited. @type {Set<import("node:net").Socket>} */
  #awaited = new Set();
  #most = 0;
  #port = 0;

  /** @param {{ url: string }} to @param {number} delayMs how much later every answer comes */
  constructor(to, delayMs) {
    const port = Number(new URL(to.url).port);
    this.server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      const answers = delayMs > 0 ? later(delayMs) : new PassThrough();
      near.on("data", () => {
        this.#awaited.add(near);
        this.#most = Math.max(this.#most, this.#awaited.size);
      });
      answers.on("data", () => this.#awaited.delete(near));
      near.pipe(far);
      far.pipe(answers).pipe(near);
      for (const [end, other] of [[near, far], [far, near]]) {
        this.#ends.add(end);
        end.on("error", () => other.destroy());
        end.on("close", () => {
          this.#ends.delete(end);
          this.#awaited.delete(near);
          // The socket is destroyed, not ended, so that nobody takes half an answer for a whole one.
          other.destroy();
        });
      }
    }).unref();
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The most calls that were in flight at one time since this was asked last. */
  most() {
    const most = this.#most;
    this.#most = this.#awaited.size;
    return most;
  }

  /** Opens the line, for the first time or after a cut, always on the same port. */
  async mend() {
    this.server.listen(this.#port, "127.0.0.1");
    await once(this.server, "listening");
    this.#port = /** @type {import("node:net").AddressInfo} */ (this.server.address()).port;
  }

  async cut() {
    if (!this.server.listening) return;
    const closed = once(this.server, "close");
    this.server.close();
    for (const end of this.#ends) end.destroy();
    await closed;
  }
}

/** @param {{ url: string }} to @param {number} [delayMs] */
export async function startLine(to, delayMs = 0) {
  const line = new Line(to, delayMs);
  await line.mend();
  return line;
}
