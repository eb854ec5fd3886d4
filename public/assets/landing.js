// The landing page is complete without this. With it, someone who is signed in goes straight to their key, and a sign-in
// error does not come back with a reload.

import { call } from "./api.js";
import { showAccount, wasSignedIn } from "./shell.js";

/** @import { Me } from "./types.js" */

if (document.querySelector("[data-auth-error]")) history.replaceState(null, "", "/");
if (wasSignedIn()) await greet();

async function greet() {
  const answer = /** @type {import("./api.js").Outcome<Me>} */ (await call("GET", "/api/v1/me"));
  if (answer.outcome === "done") {
    showAccount(answer.body);
    offerOwnKey();
  } else if (answer.outcome === "refused" && answer.status === 401) {
    showAccount(null);
  }
}

function offerOwnKey() {
  const link = document.querySelector("[data-continue]");
  const text = document.querySelector("[data-continue-text]");
  link?.setAttribute("href", "/keys");
  if (text) text.textContent = "Go to your key";
}
