// The line between a Worker and its sandbox: what goes into one end comes out of the other, until it is cut. A cut line
// refuses connections as a host does that is down, while the sandbox itself forgets nothing.

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
          // Cut off, not ended: whoever reads an answer must not take half of it for all.
          other.destroy();
        });
      }
    }).unref();
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Puts it (back) up, on the port it had. */
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
