// An image as it comes in: what there is of it, then the finished one.

import { events } from "./events.js";
import { Fault } from "./faults.js";

// The finished image. `show` gets each picture that comes before it, or a note of where in the line
// the call stands. Throws Fault.
export async function read(reply, show) {
  for await (const event of events(reply)) {
    if (event.error) throw new Fault(event.error.message, { code: event.error.code, id: reply.headers.get("x-request-id") });
    if (event.type?.endsWith(".completed")) return event;
    if (event.comment) await show({ note: event.comment.charAt(0).toUpperCase() + event.comment.slice(1) });
    else await show({ picture: event });
  }
  throw new Fault("The connection ended before the image was finished. Send it again.");
}
