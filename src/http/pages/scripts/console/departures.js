// People who are gone: what the directories say, and the lists that wait to be released or rejected.

import { html, nothing, render } from "../html.js";
import { call } from "../api.js";
import { openForm } from "./form.js";
import { age, cell, chip, failed, fullTime, grouped, heads, rowHead } from "./parts.js";
import { codeWords } from "./run-words.js";
import { departureReason, directoryName, listWords } from "./departure-words.js";

/** @import { DepartingMember, DepartureList, Departures, Directory } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** @type {import("./frame.js").View} */
export const DEPARTURES_VIEW = { address: /^\/admin\/departures$/, open };

/** "1 person", "30 people". @param {number} n */
const people = (n) => `${grouped(n)} ${n === 1 ? "person" : "people"}`;

const PATH = "/api/v1/admin/departures";

/** @param {HTMLElement} host */
async function open(host) {
  const look = async () => {
    const answer = /** @type {Outcome<Departures>} */ (await call("GET", PATH));
    render(answer.outcome === "done" ? view(answer.body, look) : html`<h1>Departures</h1>${failed(answer, look)}`, host);
  };
  await look();
}

/** @param {Departures} is @param {() => Promise<void>} look */
function view(is, look) {
  const held = is.lists.filter(({ state }) => state === "held");
  const decided = is.lists.filter(({ state }) => state !== "held");
  return html`
    <h1>Departures</h1>
    <p class="is-aside">Each night members are compared with the directories. A member who is gone on two days is put out: their sessions end at once, and their keys are disabled and later deleted. A list that is implausibly long waits here for you.</p>
    <section class="block" aria-labelledby="held">
      <h2 id="held">${held.length === 0 ? "No list waits" : held.length === 1 ? "One list waits" : `${held.length} lists wait`}</h2>
      ${held.length === 0 ? html`<p class="empty">Nobody waits to be put out.</p>` : held.map((list) => heldList(list, is.held, look))}
    </section>
    <section class="block" aria-labelledby="directories">
      <h2 id="directories">Directories</h2>
      ${is.directories.length === 0
        ? html`<p class="empty">No directory was asked yet. The first night only looks.</p>`
        : html`<table class="table">${heads(["Directory", "Last good walk", "People", "Now"])}<tbody>${is.directories.map(directoryRow)}</tbody></table>`}
    </section>
    <section class="block" aria-labelledby="decided">
      <h2 id="decided">Earlier lists</h2>
      ${decided.length === 0
        ? html`<p class="empty">There is none.</p>`
        : html`<table class="table">${heads(["List", "Directory", "Made", "People", "Put out"])}<tbody>${decided.map(listRow)}</tbody></table>`}
    </section>
  `;
}

/** @param {DepartureList} list @param {DepartingMember[]} all @param {() => Promise<void>} look */
function heldList(list, all, look) {
  const own = all.filter((one) => one.list === list.id);
  return html`
    <article class="block" aria-label=${`A list of ${people(list.people)}`}>
      <p>${directoryName(list.directory)} says that ${people(list.people)} ${list.people === 1 ? "is" : "are"} gone. Listed ${age(list.made_at)}. You can release the list until ${fullTime(Date.parse(list.expires_at))}. A member who is seen there again is taken off the list.</p>
      <div class="actions">
        <button class="button is-final" type="button" data-opens @click=${() => decide(list, "release", look)}>Put them out…</button>
        <button class="button" type="button" data-opens @click=${() => decide(list, "reject", look)}>Reject the list…</button>
      </div>
      <table class="table">${heads(["Who", "What the directory says", "Since"])}<tbody>${own.map(personRow)}</tbody></table>
      ${own.length < list.people ? html`<p class="is-aside">${grouped(list.people - own.length)} more are in this list and not shown.</p>` : nothing}
    </article>
  `;
}

/** @param {DepartingMember} one */
const personRow = (one) => html`
  <tr>${rowHead("Who", html`<a href=${`/admin/members/${one.member}`} translate="no">${one.login === "" ? one.member : one.login}</a>`)} ${cell("What the directory says", departureReason(one.reason))} ${cell("Since", age(one.since))}</tr>
`;

/** @param {Directory} is */
const directoryRow = (is) => html`
  <tr>
    ${rowHead("Directory", directoryName(is.directory))} ${cell("Last good walk", is.good_at === null ? "none yet" : age(is.good_at))} ${cell("People", grouped(is.people))}
    ${cell("Now", is.code === null ? chip("believed", "good") : html`${chip("doubtful", "warn")} ${codeWords(is.code)} Since ${age(is.unknown_since ?? "")}.`)}
  </tr>
`;

/** @param {DepartureList} list */
function listRow(list) {
  const { word, tone } = listWords(list);
  return html`<tr>${rowHead("List", chip(word, tone))} ${cell("Directory", directoryName(list.directory))} ${cell("Made", age(list.made_at))} ${cell("People", grouped(list.people))} ${cell("Put out", grouped(list.blocked))}</tr>`;
}

/** @param {DepartureList} list @param {"release" | "reject"} verb @param {() => Promise<void>} look */
function decide(list, verb, look) {
  const who = people(list.people);
  const releases = verb === "release";
  openForm({
    title: releases ? `Put out ${who}` : "Reject the list",
    text: releases
      ? ["Exactly the people of this list are put out: their sessions end at once, and all of their keys are disabled and later deleted.", "An administrator can reinstate each of them. Their old keys stay dead."]
      : ["Nothing happens to the people of this list. If the directory still says that they are gone, they are listed again after two nights."],
    fields: releases ? [{ name: "confirm", label: `Type ${list.people} to confirm`, keys: "numeric", must: String(list.people) }] : [],
    button: releases ? "Put them out" : "Reject",
    final: releases,
    act: () => ({ method: "POST", path: `${PATH}/${list.id}/${verb}`, body: {} }),
    done: () => (releases ? `${who} ${list.people === 1 ? "is" : "are"} being put out. OpenRouter has not confirmed yet that their keys are disabled.` : "The list is rejected."),
    after: look,
  });
}
