// The Worker without anything around it.

// @ts-expect-error The bundler puts build/entry.mjs here, which has no types.
import worker from "keycap:entry";
import { alone } from "./fakes.mjs";

export default alone(worker);
