// Reads a streamed image: previews, then the finished image.

import { events } from "./events.js";
import { Fault } from "./faults.js";

// Return the finished image. `show` is called with each preview, or with a note about the position
// in the queue. Throws Fault.
export async function read(reply, show) {
  for await (const event of events(reply)) {
    if (event.error) throw new Fault(event.error.message, { code: event.error.code, id: reply.headers.get("x-request-id") });
    if (event.type?.endsWith(".completed")) return event;
    if (event.comment) await show({ note: event.comment.charAt(0).toUpperCase() + event.comment.slice(1) });
    else await show({ picture: event });
  }
  throw Fault.cutOff();
}
