// The landing page is complete without this script. With it, the button leads a signed-in member straight to their key,
// and a sign-in error is not shown again after a reload.

import { equipSnippets } from "./copy.js";
import { greet } from "./shell.js";

if (document.querySelector("[data-auth-error]")) history.replaceState(null, "", "/");
equipSnippets();
if ((await greet()) !== null) offerOwnKey();

function offerOwnKey() {
  const link = document.querySelector("[data-continue]");
  const text = document.querySelector("[data-continue-text]");
  link?.setAttribute("href", "/keys");
  if (text) text.textContent = "Go to your key";
  document.querySelector("[data-other-provider]")?.remove();
}
