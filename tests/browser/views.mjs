// The views of the page `/keys`, for tests that render them without the page.

export { html, render } from "../../src/http/pages/scripts/html.js";
export { aside, page } from "../../src/http/pages/scripts/keys-view.js";
