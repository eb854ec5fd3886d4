// Makes tabs of sections that stand one below the other: the Tab key stops at them once, the arrow keys move between
// them, Home and End move to the ends (WAI-ARIA Authoring Practices, "Tabs with Automatic Activation"). Without this
// script every section is visible.

/** Makes tabs of every `data-tabs` element on the page: one for each `data-tab` child, named by the child's heading. */
export function equipTabs() {
  for (const group of document.querySelectorAll("[data-tabs]")) equip(/** @type {HTMLElement} */ (group));
}

/** @param {HTMLElement} group */
function equip(group) {
  const panels = /** @type {HTMLElement[]} */ ([...group.querySelectorAll(":scope > [data-tab]")]);
  const list = document.createElement("div");
  list.className = "tabs";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", group.dataset.tabs ?? "");
  const tabs = panels.map((panel) => tabFor(panel));
  list.append(...tabs);
  group.prepend(list);
  /** @param {number} index */
  const choose = (index) => {
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(at === index));
      tab.tabIndex = at === index ? 0 : -1;
    });
    panels.forEach((panel, at) => {
      panel.hidden = at !== index;
    });
  };
  tabs.forEach((tab, index) => tab.addEventListener("click", () => choose(index)));
  list.addEventListener("keydown", (event) => {
    const next = goal(event.key, tabs.findIndex((tab) => tab === event.target), tabs.length);
    const tab = tabs[next];
    if (tab === undefined) return;
    event.preventDefault();
    choose(next);
    tab.focus();
  });
  choose(0);
}

/** Makes the tab of a panel. The heading moves from the panel into the tab. @param {HTMLElement} panel */
function tabFor(panel) {
  const heading = panel.querySelector("h3");
  const tab = document.createElement("button");
  tab.type = "button";
  tab.className = "tab";
  tab.id = `${panel.id}-tab`;
  tab.textContent = heading?.textContent ?? "";
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", panel.id);
  panel.setAttribute("role", "tabpanel");
  panel.setAttribute("aria-labelledby", tab.id);
  heading?.remove();
  return tab;
}

/**
 * The index of the tab that a key leads to from another tab; -1 if the key leads nowhere.
 * @param {string} key
 * @param {number} from
 * @param {number} count
 */
function goal(key, from, count) {
  if (from < 0) return -1;
  switch (key) {
    case "ArrowRight":
      return (from + 1) % count;
    case "ArrowLeft":
      return (from + count - 1) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return -1;
  }
}
