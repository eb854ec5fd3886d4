// All pages speak to a screen reader through this function.

/** Says a text to a screen reader without moving the focus. @param {string} text */
export function say(text) {
  const status = document.getElementById("status");
  if (status) status.textContent = text;
}
