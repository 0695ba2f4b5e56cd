// Reads a chat response, streamed or not.

import { events } from "./events.js";
import { Fault, received } from "./faults.js";

function addCalls(turn, deltas) {
  for (const delta of deltas) {
    const call = turn.calls[delta.index] ??= { id: "", type: "function", function: { name: "", arguments: "" } };
    call.id ||= delta.id ?? "";
    call.function.name += delta.function?.name ?? "";
    call.function.arguments += delta.function?.arguments ?? "";
  }
}

function add(turn, choice) {
  const message = choice.delta ?? choice.message;
  turn.text += message.content ?? "";
  turn.reasoning += message.reasoning_content ?? "";
  if (message.tool_calls) addCalls(turn, message.tool_calls.map((call, index) => ({ index, ...call })));
  turn.cut ||= choice.finish_reason === "length";
  return Boolean(choice.finish_reason);
}

// Read the response into `turn`; `show` is called after each chunk. Throws Fault.
export async function read(reply, turn, show) {
  if (!reply.headers.get("content-type").startsWith("text/event-stream")) {
    add(turn, (await received(reply.json())).choices[0]);
    return;
  }
  let finished = false;
  for await (const event of events(reply)) {
    if (event.error) throw new Fault(event.error.message, { code: event.error.code, id: turn.id });
    // While a request is queued, comments report its position.
    if (event.comment) turn.note = event.comment.charAt(0).toUpperCase() + event.comment.slice(1);
    if (event.choices?.[0]) finished = add(turn, event.choices[0]) || finished;
    show(turn);
  }
  if (!finished) throw Fault.cutOff();
}
