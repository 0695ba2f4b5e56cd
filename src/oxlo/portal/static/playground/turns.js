// The conversation as it is shown.

import { h } from "./element.js";
import { prose } from "./prose.js";
import { receiptOf } from "./receipts.js";

const NAMES = { user: "You", assistant: "Model", tool: "Tool" };

function toolCall(turn, call, answer) {
  const waiting = !turn.answered?.includes(call.id);
  const result = h("textarea", { rows: "2", "aria-label": `Result of ${call.function.name}`, placeholder: "What the function answers" });
  return h("div", { class: "toolcall" },
    h("p", {}, h("code", {}, `${call.function.name}(${call.function.arguments})`)),
    waiting ? h("div", { class: "row" }, result,
      h("button", { type: "button", onclick: () => answer(turn, call, result.value) }, "Send result")) : "");
}

// One turn. `answer(turn, call, text)` is called with what a function answers.
export function turnItem(bench, turn, answer) {
  const name = turn.role === "assistant" && turn.model ? turn.model : NAMES[turn.role];
  return h("li", { class: `turn ${turn.role}` },
    h("span", { class: "who small muted" }, name),
    h("div", { class: "what" }, body(bench, turn, answer)));
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

// A turn that is being written: `show(turn)` at most once a frame.
export function liveItem(bench, model) {
  const what = h("div", { class: "what" }, h("p", { class: "muted waiting" }, "Waiting for the first token"));
  const item = h("li", { class: "turn assistant", "aria-busy": "true" }, h("span", { class: "who small muted" }, model), what);
  let next;
  const show = (turn) => {
    next ??= requestAnimationFrame(() => {
      next = undefined;
      what.replaceChildren(...body(bench, { ...turn, id: undefined, calls: [] }, () => {}));
    });
  };
  return { item, show };
}
