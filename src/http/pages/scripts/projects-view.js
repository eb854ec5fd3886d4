// The member's projects: what they are called, how many keys they have, and which of them are archived.

import { html, nothing, repeat } from "./html.js";
import { counted } from "./words.js";

/** @import { Key, Project } from "./types.js" */
/** @import { Actions, Model } from "./keys-view.js" */

/** The id of the list of names that the fields for a project offer. */
export const PROJECT_NAMES = "project-names";

/** The names to choose from: of the projects that are not archived, and of those that keys have. @param {Model} model */
const namesIn = ({ keys, projects }) => [...new Set([...projects.filter(({ archived_at: at }) => at === null).map(({ name }) => name), ...keys.flatMap(({ project }) => (project === null ? [] : [project.name]))])].sort((a, b) => a.localeCompare(b));

/** What fields for a project suggest. Another name makes another project. @param {Model} model */
export const projectNames = (model) => html`<datalist id=${PROJECT_NAMES}>${namesIn(model).map((name) => html`<option value=${name}></option>`)}</datalist>`;

/** Whether a key is in a project. @param {Pick<Model, "keys">} model */
export const hasProjects = ({ keys }) => keys.some(({ project }) => project !== null);

/**
 * @param {Model} model
 * @param {Actions} actions
 */
export const projectList = ({ projects, keys }, actions) => html`
  <details class="ended">
    <summary>${counted(projects.length, "project")}</summary>
    <ul class="plain">
      ${repeat(projects, ({ id }) => id, (project) => item(project, keys.filter((key) => key.project?.id === project.id).length, actions))}
    </ul>
  </details>
`;

/** @param {Project} project @param {number} count how many keys it has now @param {Actions} actions */
const item = (project, count, actions) => html`
  <li>
    <p><strong>${project.name}</strong>, ${counted(count, "key")}${project.ended_keys === 0 ? "" : ` and ${project.ended_keys} ended`}${project.provider_keys === 0 ? "" : `, ${project.provider_keys} with your own billing`}${project.archived_at === null ? "" : ", archived"}</p>
    <div class="actions">
      <button class="button is-quiet" type="button" aria-label=${`Rename the project ${project.name}`} @click=${() => actions.renameProject(project)}>Rename…</button>
      <button class="button is-quiet" type="button" aria-label=${project.archived_at === null ? `Archive the project ${project.name}` : `Bring back the project ${project.name}`} @click=${() => actions.archiveProject(project, project.archived_at === null)}>${project.archived_at === null ? "Archive" : "Bring back"}</button>
    </div>
  </li>
`;

/**
 * The heading of a group of keys in the order by project.
 * @param {string} name
 * @param {number} count
 */
export const groupHead = (name, count) => html`<h2 class="group-head">${name} <span class="is-aside">${counted(count, "key")}</span></h2>`;

/** A key's project as a group. @param {Key} key */
export const groupOf = ({ project }) => project?.name ?? "No project";
