// Yields a response's server-sent events, decoded; a comment is yielded as `{ comment }`.
// Throws Fault if the connection breaks.

import { received } from "./faults.js";

export async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await received(reader.read());
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith(": ")) yield { comment: line.slice(2) };
      const data = line.startsWith("data: ") ? line.slice(6).trim() : "";
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}
