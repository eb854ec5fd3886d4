// The search box: what is typed decides where it leads. A secret is hashed in this browser and sent nowhere.

/** @param {string} text */
async function sha256(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A whole secret, as OpenRouter writes them. */
const SECRET = /^sk-or-[\w-]{20,}$/;
/** What can only be of a key: an id, a SHA-256, a mask. */
const OF_A_KEY = /^(key_|gen_)|^[0-9a-fA-F]{64}$|\.{3}|…/;

/**
 * The address that a search leads to.
 * @param {string} typed
 */
export async function placeOf(typed) {
  const text = typed.trim();
  if (text === "") return "/admin/members";
  if (SECRET.test(text)) return `/admin/keys?q=${await sha256(text)}`;
  return OF_A_KEY.test(text) ? `/admin/keys?${new URLSearchParams({ q: text })}` : `/admin/members?${new URLSearchParams({ q: text })}`;
}

export function equipFind() {
  const form = document.getElementById("find");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const box = /** @type {HTMLInputElement} */ (document.getElementById("find-box"));
    location.assign(await placeOf(box.value));
  });
}
