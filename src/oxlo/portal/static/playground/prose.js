// Renders an answer: fenced code gets a block and a copy button, the rest stays plain text.

import { h } from "./element.js";

function inline(text) {
  return text.split(/(`[^`\n]+`)/).map((part) => (
    part.length > 2 && part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part));
}

function block(text) {
  const [, code] = /^[^\n]*\n?([\s\S]*)$/.exec(text);
  return h("div", { class: "code" },
    h("pre", { tabindex: "0", "aria-label": "Code" }, h("code", {}, code.replace(/\n$/, ""))),
    h("button", { type: "button", class: "copy" }, "Copy"));
}

export function prose(text) {
  return text.split("```").map((part, index) => {
    if (index % 2) return block(part);
    const trimmed = part.replace(/^\n+|\s+$/g, "");
    return trimmed ? h("div", { class: "said" }, inline(trimmed)) : "";
  }).filter(Boolean);
}
