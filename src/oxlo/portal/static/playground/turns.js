// Renders the conversation.

import { h } from "./element.js";
import { prose } from "./prose.js";
import { receiptOf } from "./receipts.js";

const NAMES = { user: "You", assistant: "Model", tool: "Tool" };

function toolCall(turn, call, answer) {
  const waiting = !turn.answered?.includes(call.id);
  const result = h("textarea", { rows: "2", "aria-label": `Result of ${call.function.name}`, placeholder: "What the function answers" });
  result.value = turn.unsent?.[call.id] ?? "";
  return h("div", { class: "toolcall" },
    h("p", {}, h("code", {}, `${call.function.name}(${call.function.arguments})`)),
    waiting ? h("div", { class: "row" }, result,
      h("button", { type: "button", onclick: () => answer(turn, call, result.value) }, "Send result")) : "");
}

// Actions on a turn: copy it, edit a user message, regenerate the last answer.
function handles(turn, { edit, again }, isLast) {
  const button = (words, onclick) => h("button", { type: "button", class: "link", onclick }, words);
  return h("span", { class: "handles" },
    turn.text ? h("button", { type: "button", class: "link copy", "data-copy": turn.text }, "Copy") : "",
    turn.role === "user" ? button("Edit", () => edit(turn)) : "",
    turn.role === "assistant" && isLast ? button("Try again", () => again(turn)) : "");
}

// Render a turn. `actions`: answer(turn, call, text) with a function's result, edit(turn), again(turn).
export function turnItem(bench, turn, actions, isLast) {
  const name = turn.role === "assistant" && turn.model ? turn.model : NAMES[turn.role];
  return h("li", { class: `turn ${turn.role}` },
    h("div", { class: "who small muted" }, h("span", {}, name), handles(turn, actions, isLast)),
    h("div", { class: "what" }, body(bench, turn, actions.answer)));
}

function body(bench, turn, answer) {
  return [
    turn.reasoning ? h("details", { class: "reasoning" }, h("summary", { class: "small muted" }, "Thoughts"), h("div", { class: "said muted" }, turn.reasoning)) : "",
    ...(turn.images ?? []).map((url) => h("img", { src: url, alt: "A picture that was sent", class: "sent" })),
    ...prose(turn.text ?? ""),
    ...(turn.calls ?? []).map((call) => toolCall(turn, call, answer)),
    turn.stopped ? h("p", { class: "small muted" }, "Stopped.") : "",
    turn.cut ? h("p", { class: "small muted" }, "The answer was cut at the longest length. Raise max_tokens for more.") : "",
    turn.id ? receiptOf(bench, turn.id) : "",
  ];
}

// Count seconds while `box` is on the page; hidden from screen readers.
function clock(box) {
  const begun = performance.now();
  const tick = setInterval(() => {
    if (!box.isConnected) clearInterval(tick);
    box.textContent = ` · ${Math.round((performance.now() - begun) / 1000)} s`;
  }, 1000);
  return box;
}

// Render a turn that is being streamed: `show(turn)` renders at most once per frame.
export function liveItem(bench, model) {
  const note = h("span", {}, "Waiting for the first token");
  const what = h("div", { class: "what" }, h("p", { class: "muted waiting" }, note, clock(h("span", { "aria-hidden": "true" }))));
  const item = h("li", { class: "turn assistant", "aria-busy": "true" }, h("div", { class: "who small muted" }, model), what);
  let next;
  const show = (turn) => {
    next ??= requestAnimationFrame(() => {
      next = undefined;
      if (turn.text || turn.reasoning) what.replaceChildren(...body(bench, { ...turn, id: undefined, calls: [] }, () => {}));
      else if (turn.note) note.textContent = turn.note;
    });
  };
  return { item, show };
}
