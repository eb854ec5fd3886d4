// The one place from which the pages speak to a screen reader.

/** Says something without moving the focus. @param {string} text */
export function say(text) {
  const status = document.getElementById("status");
  if (status) status.textContent = text;
}
