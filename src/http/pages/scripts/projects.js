// Projects: to put a key into one, and to rename, archive and bring back the projects themselves.

import { askFirst } from "./confirm.js";
import { failureWords } from "./failure-words.js";
import { textField } from "./fields-view.js";
import { Press } from "./press.js";
import { PROJECT_NAMES } from "./projects-view.js";
import { say } from "./say.js";
import { nameError } from "./words.js";

/** @import { Outcome } from "./api.js" */
/** @import { Key, Project } from "./types.js" */
/** @import { ActionsPage } from "./key-actions.js" */

/** @param {ActionsPage} page */
export function projectActions(page) {
  const press = new Press();

  /** @param {Key} key */
  function move(key) {
    const typed = { name: key.project?.name ?? "", error: "" };
    const { redraw } = askFirst({
      title: `The project of “${key.name ?? "OpenRouter key"}”`,
      text: ["A project groups your keys. It changes nothing about the key itself."],
      fields: () => textField({ id: "project-of-key", label: "Project", hint: "Choose one, or write a new name. Leave it empty for none.", list: PROJECT_NAMES }, typed, redrawn),
      refuse: () => (typed.error = typed.name.trim() === "" ? "" : nameError(typed.name)),
      kind: "primary",
      button: "Put it there",
      pending: "Putting it there…",
      act: async () => {
        const name = typed.name.trim();
        const answer = /** @type {Outcome<{ key: Key }>} */ (await press.send("PATCH", `/api/v1/keys/${key.id}`, { project: name === "" ? null : name }));
        if (answer.outcome === "refused" && answer.status === 401) return page.signedOut;
        if (answer.outcome !== "done") return failureWords(answer).text;
        const { key: moved } = answer.body;
        return () => page.tell(moved, { tone: "good", title: moved.project === null ? "The key is in no project." : `The key is in “${moved.project.name}”.`, text: "" });
      },
    });
    /** @param {Partial<typeof typed>} change */
    function redrawn(change) {
      Object.assign(typed, change, { error: "" });
      redraw();
    }
  }

  /** @param {Project} project */
  function renameProject(project) {
    const typed = { name: project.name, error: "" };
    const { redraw } = askFirst({
      title: `Rename the project “${project.name}”`,
      text: [],
      fields: () => textField({ id: "project-name", label: "Name", hint: "1 to 64 characters." }, typed, redrawn),
      refuse: () => (typed.error = nameError(typed.name)),
      kind: "primary",
      button: "Rename it",
      pending: "Renaming…",
      act: async () => {
        const answer = await changed(project, { name: typed.name.trim() });
        if (answer.outcome === "refused" && answer.status === 401) return page.signedOut;
        return answer.outcome === "done" ? () => take(answer.body.project) : failureWords(answer).text;
      },
    });
    /** @param {Partial<typeof typed>} change */
    function redrawn(change) {
      Object.assign(typed, change, { error: "" });
      redraw();
    }
  }

  /** @param {Project} project @param {boolean} archived */
  async function archiveProject(project, archived) {
    const answer = await changed(project, { archived });
    if (answer.outcome === "refused" && answer.status === 401) return page.signedOut();
    if (answer.outcome !== "done") return page.show({ notice: { tone: "bad", title: archived ? "The project was not archived." : "The project was not brought back.", ...failureWords(answer) } });
    take(answer.body.project);
    say(archived ? `“${project.name}” is archived. Its keys go on working.` : `“${project.name}” is back.`);
  }

  /** @param {Project} project @param {Record<string, unknown>} body */
  const changed = async (project, body) => /** @type {Outcome<{ project: Project }>} */ (await press.send("PATCH", `/api/v1/projects/${project.id}`, body));

  /** Shows a project as an answer has it, also in the keys that are in it. @param {Project} project */
  function take(project) {
    const { keys, projects } = page.read();
    page.show({
      projects: projects.map((one) => (one.id === project.id ? project : one)),
      keys: keys.map((key) => (key.project?.id === project.id ? { ...key, project: { id: project.id, name: project.name } } : key)),
    });
  }

  return { move, renameProject, archiveProject };
}

/**
 * The projects, with one that was created together with a key.
 * @param {Project[]} projects
 * @param {Key} key
 */
export const withProjectOf = (projects, { project }) => (project === null || projects.some(({ id }) => id === project.id) ? projects : [...projects, { ...project, archived_at: null, keys: 1, ended_keys: 0, provider_keys: 0 }]);
