// The peer without anything around it.

import { alone } from "./fakes.mjs";
import peer from "./peer.mjs";

export default alone(peer);
