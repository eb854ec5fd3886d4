// The loopback ports that the local programs use.

import { once } from "node:events";
import { createServer } from "node:net";
import { Advice } from "./setup.mjs";

/** The ports of `npm start`, and the variables that change them. */
export const PORTS = /** @type {const} */ ({
  worker: { what: "the Worker", variable: "KEYCAP_PORT", usual: 8787 },
  sandbox: { what: "the sandbox", variable: "SANDBOX_PORT", usual: 8790 },
});

/** Returns the configured port of a program if it is free, and fails otherwise. @param {keyof typeof PORTS} program */
export async function configuredPort(program) {
  const { what, variable, usual } = PORTS[program];
  const text = process.env[variable] || `${usual}`;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new Advice(`${variable} must be a port number, not "${text}".`);
  if (!(await isFree(port))) {
    throw new Advice(`Port ${port}, for ${what}, is in use. End what listens there, or choose another port with ${variable}.`);
  }
  return port;
}

/** @param {number} port @returns {Promise<boolean>} */
const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .once("listening", () => server.close(() => resolve(true)))
      .listen(port, "127.0.0.1");
  });

/** Returns a port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
