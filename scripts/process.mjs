// Child processes: run one to its end, or keep one in a process group of its own that ends with this process.
//
// `wrangler dev` starts workerd as a grandchild that outlives a killed parent and keeps its port. So each long-running
// command gets its own group, which is ended by the group's id, never by name.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to this process's environment; undefined removes a variable
 * @property {string} [input] what it reads from stdin (default: nothing)
 * @property {(line: string) => void} [onLine] sees every line of stdout and stderr
 * @property {boolean} [show] pass the output on to the terminal (default: keep it and show it only on failure)
 */

/** @typedef {{ code: number, stdout: string, output: string }} Finished */

/** A command that ended with a code other than 0. The message contains what it printed. */
export class CommandFailed extends Error {
  /** @param {string} command @param {number} code @param {string} output */
  constructor(command, code, output) {
    super(`\`${command}\` ended with code ${code}${output ? `:\n${output.trimEnd()}` : ""}`);
    this.code = code;
  }
}

/** @param {NodeJS.ProcessEnv} [added] */
function environment(added = {}) {
  const env = { ...process.env, ...added };
  for (const name of Object.keys(env)) if (env[name] === undefined) delete env[name];
  return env;
}

/** A stream that exists because the options asked for it. @param {import("node:stream").Readable | null} stream */
const piped = (stream) => /** @type {import("node:stream").Readable} */ (stream);

/** Commands that run to their end. @type {Set<import("node:child_process").ChildProcess>} */
const finishing = new Set();

/**
 * Runs a command to its end, whatever its exit code is. The command ends with this process.
 * @param {string} command @param {string[]} args @param {RunOptions} [options]
 * @returns {Promise<Finished>}
 */
export async function finish(command, args, options = {}) {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  finishing.add(child);
  child.once("close", () => finishing.delete(child));
  // A command that ends before it has read everything gives the reason by its exit code.
  child.stdin?.on("error", () => undefined).end(options.input);
  let stdout = "";
  let output = "";
  /** @param {import("node:stream").Readable} stream @param {NodeJS.WriteStream} terminal @param {boolean} isStdout */
  const collect = (stream, terminal, isStdout) => {
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      output += text;
      if (isStdout) stdout += text;
      if (options.show) terminal.write(text);
    });
    if (options.onLine) createInterface({ input: stream }).on("line", options.onLine);
  };
  collect(piped(child.stdout), process.stdout, true);
  collect(piped(child.stderr), process.stderr, false);
  const [code] = /** @type {[number | null]} */ (await once(child, "close"));
  return { code: code ?? 1, stdout, output };
}

/**
 * Runs a command and throws {@link CommandFailed} unless it ends with 0.
 * @param {string} command @param {string[]} args @param {RunOptions} [options]
 */
export async function run(command, args, options = {}) {
  const finished = await finish(command, args, options);
  if (finished.code !== 0) {
    throw new CommandFailed([command, ...args].join(" "), finished.code, options.show ? "" : finished.output);
  }
  return finished;
}

/** @type {Set<Group>} */
const running = new Set();

// The last resort, when this process ends without having stopped its groups (an error, process.exit).
process.on("exit", () => {
  for (const group of running) group.signal("SIGKILL");
  for (const child of finishing) child.kill();
});

// A signal would end this process without the hook above. `npm start` adds its own handler, which stops the groups
// first.
for (const [signal, code] of /** @type {const} */ ([["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]])) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(code);
  });
}

/** A long-running command at the head of its own process group. */
export class Group {
  /**
   * @param {string} command @param {string[]} args
   * @param {RunOptions & { background?: boolean }} [options] background: this process may end while the group runs
   *   (and then ends it), as a test file does that has nothing left to do
   */
  constructor(command, args, options = {}) {
    this.command = command;
    /** @type {string[]} every line it has printed so far, stdout and stderr as they came */
    this.lines = [];
    this.child = spawn(command, args, {
      cwd: options.cwd,
      env: environment(options.env),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    if (options.background) {
      this.child.unref();
      for (const stream of [this.child.stdout, this.child.stderr]) /** @type {import("node:net").Socket} */ (stream).unref();
    }
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        options.onLine?.(line);
      });
    }
    /** @type {Error | undefined} */
    this.startError = undefined;
    /** Resolves when the head of the group has ended. @type {Promise<void>} */
    this.ended = new Promise((resolve) => {
      this.child.once("exit", () => resolve());
      this.child.once("error", (error) => {
        this.startError = error;
        resolve();
      });
    });
    void this.ended.then(() => {
      this.hasEnded = true;
    });
    this.hasEnded = false;
    running.add(this);
  }

  /** Sends a signal to every process of the group. A group that is gone is no error. @param {NodeJS.Signals} signal */
  signal(signal) {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") throw error;
    }
  }

  /** Answers whether any process of the group still runs. */
  alive() {
    if (this.child.pid === undefined) return false;
    try {
      process.kill(-this.child.pid, 0);
    } catch {
      return false;
    }
    return !onlyZombies(this.child.pid);
  }

  /** Ends the whole group at once, as a power cut would, and returns when none of its processes is left. */
  async kill() {
    this.signal("SIGKILL");
    await until(() => !this.alive(), { seconds: 10, what: `the processes of ${this.command} to be gone` });
    running.delete(this);
  }

  /**
   * Asks the group to end, and kills what is left after the time that it was given.
   * @param {number} [patienceSeconds]
   */
  async stop(patienceSeconds = 5) {
    this.signal("SIGTERM");
    try {
      await until(() => !this.alive(), { seconds: patienceSeconds, what: `${this.command} to end` });
      running.delete(this);
    } catch {
      await this.kill();
    }
  }
}

/**
 * Orphans of a killed group stay as zombies until the machine's first process collects them, which in a container
 * can take seconds. They hold no port and no file. @param {number} group
 */
function onlyZombies(group) {
  if (process.platform !== "linux") return false;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    let stat;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    } catch {
      continue; // the process has ended meanwhile
    }
    // The line is "pid (name) state parent group …". The name may contain anything, parentheses too.
    const [state, , itsGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(itsGroup) === group && state !== "Z" && state !== "X") return false;
  }
  return true;
}

/** How often the process checks whether its parent still exists. */
const PARENT_MS = 500;

/**
 * Waits until somebody ends this program, or until one of its groups has ended. Returns what went wrong, or an empty
 * text if it was a signal. npm runs a program in a shell, and a signal may end npm and that shell alone: then the
 * parent changes.
 * @param {Group[]} groups @returns {Promise<string>}
 */
export function ended(groups) {
  const parent = process.ppid;
  return Promise.race([
    new Promise((resolve) => {
      for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, () => resolve(""));
    }),
    until(() => process.ppid !== parent, { seconds: Infinity, what: "the parent to end", everyMs: PARENT_MS }).then(() => ""),
    ...groups.map((group) => group.ended.then(() => `${group.command} ended by itself`)),
  ]);
}

/** Answers whether there is a process with this id. @param {number} pid */
export function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * Polls until `probe` answers something truthy, and returns that. Throws at the deadline.
 * @template T
 * @param {() => T | Promise<T>} probe
 * @param {{ seconds: number, what: string, everyMs?: number }} options
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(probe, { seconds, what, everyMs = 25 }) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** @param {number} startedAt ms, from performance.now() */
export function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}
