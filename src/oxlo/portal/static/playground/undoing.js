// Offers to undo a deletion until the next action.

import { h } from "./element.js";

const box = () => document.querySelector("#undo");

export function forgetUndo() {
  box().replaceChildren();
}

export function offerUndo(words, undo) {
  const back = () => { forgetUndo(); undo(); };
  box().replaceChildren(h("p", { class: "row small" }, words, h("button", { type: "button", class: "link", onclick: back }, "Undo")));
}
