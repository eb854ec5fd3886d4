// A line between a Worker and its sandbox: it passes on all bytes until a test cuts it. A cut line refuses connections,
// as a host does that is down, while the sandbox keeps its state.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Line {
  /** @type {Set<import("node:net").Socket>} */
  #ends = new Set();
  #port = 0;

  /** @param {{ url: string }} to */
  constructor(to) {
    const port = Number(new URL(to.url).port);
    this.server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      for (const [end, other] of [[near, far], [far, near]]) {
        this.#ends.add(end);
        end.pipe(other);
        end.on("error", () => other.destroy());
        end.on("close", () => {
          this.#ends.delete(end);
          // The socket is destroyed, not ended, so that nobody takes half an answer for a whole one.
          other.destroy();
        });
      }
    }).unref();
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
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

/** @param {{ url: string }} to */
export async function startLine(to) {
  const line = new Line(to);
  await line.mend();
  return line;
}
