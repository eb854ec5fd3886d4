// All pages take their templates from here. They are lit-html's templates, made so that they survive a translation. A
// browser that translates a page replaces each text node by elements of its own. lit-html would go on writing into a
// text node that is no longer on the page, and would look for the end of a replaced part at a text node that is gone.
// Therefore:
// - a text node is written into only while it is in its place; otherwise what stands there goes, and a new one is
//   inserted;
// - a changing part ends at a comment, which no translator touches, and never at a text node.

import { Directive, directive } from "lit-html/directive.js";
import { noChange, html as template, svg as drawing } from "lit-html";

export { nothing, render } from "lit-html";
export { repeat } from "lit-html/directives/repeat.js";

class LiveText extends Directive {
  /** @type {Text | null} */
  #text = null;
  #words = "";

  /** @param {string} words */
  render(words) {
    return words;
  }

  /** @param {import("lit-html").ChildPart} part @param {[string]} words */
  update(part, [words]) {
    if (this.#text !== null && words === this.#words) return noChange;
    this.#words = words;
    if (this.#text?.parentNode === part.parentNode) {
      this.#text.data = words;
      return noChange;
    }
    this.#text = document.createTextNode(words);
    return this.#text;
  }
}

const liveText = directive(LiveText);

/** @typedef {{ strings: TemplateStringsArray, isContent: boolean[] }} Prepared  isContent: which values stand between tags */

/**
 * Each template is prepared once, because lit-html recognises a template by its array of strings.
 * @type {WeakMap<TemplateStringsArray, Prepared>}
 */
const known = new WeakMap();

/**
 * Makes a lit-html template. In its fixed parts, "<" and ">" may only be those of tags.
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export function html(strings, ...values) {
  const prepared = preparedOf(strings);
  return template(prepared.strings, ...live(prepared, values));
}

/**
 * The same for what stands within an `<svg>`.
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export function svg(strings, ...values) {
  const prepared = preparedOf(strings);
  return drawing(prepared.strings, ...live(prepared, values));
}

/** @param {TemplateStringsArray} strings */
function preparedOf(strings) {
  const prepared = known.get(strings) ?? prepare(strings);
  known.set(strings, prepared);
  return prepared;
}

/** @param {Prepared} prepared @param {unknown[]} values */
const live = ({ isContent }, values) => values.map((value, n) => (isContent[n] && isText(value) ? liveText(String(value)) : value));

/** @param {unknown} value */
const isText = (value) => typeof value === "string" || typeof value === "number";

/** @param {TemplateStringsArray} strings @returns {Prepared} */
function prepare(strings) {
  let isContent = true;
  const between = strings.slice(0, -1).map((text) => {
    const [opened, closed] = [text.lastIndexOf("<"), text.lastIndexOf(">")];
    if (opened !== closed) isContent = closed > opened;
    return isContent;
  });
  const ended = strings.map((text, n) => (n > 0 && between[n - 1] ? `<!---->${text}` : text));
  return { strings: Object.assign(ended, { raw: ended }), isContent: between };
}
