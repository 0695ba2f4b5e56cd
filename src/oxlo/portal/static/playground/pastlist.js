// The list of earlier conversations, to open or delete.

import { h } from "./element.js";

const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

function row(one, index, { open, drop }) {
  const said = one.turns.filter((turn) => turn.role !== "tool").length;
  return h("li", { class: "row" },
    h("button", { type: "button", class: "link", onclick: () => open(index) }, one.title),
    h("span", { class: "small muted" }, `${said} messages · ${DAY.format(one.at)}`),
    h("button", { type: "button", class: "quiet right", "aria-label": `Delete “${one.title}”`, onclick: () => drop(index) }, "Delete"));
}

// `acts`: open(index) and drop(index).
export function showPast(box, kept, acts) {
  box.hidden = kept.length === 0;
  box.querySelector("summary").textContent = `Earlier conversations (${kept.length})`;
  box.querySelector("ul").replaceChildren(...kept.map((one, index) => row(one, index, acts)));
}
