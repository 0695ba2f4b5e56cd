// The list of earlier conversations, to open or delete.

import { h } from "./element.js";

const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

function row(one, { open, drop }) {
  const count = one.turns.filter((turn) => turn.role !== "tool").length;
  return h("li", { class: "row" },
    h("button", { type: "button", class: "link", onclick: () => open(one) }, one.title),
    h("span", { class: "small muted" }, `${count} messages · ${DAY.format(one.at)}`),
    h("button", { type: "button", class: "quiet right", "aria-label": `Delete “${one.title}”`, onclick: () => drop(one) }, "Delete"));
}

// `actions`: open(conversation) and drop(conversation).
export function showPast(box, conversations, actions) {
  box.hidden = conversations.length === 0;
  box.querySelector("summary").textContent = `Earlier conversations (${conversations.length})`;
  box.querySelector("ul").replaceChildren(...conversations.map((one) => row(one, actions)));
}
