// Error messages from the API, with what to do about them.

import { h } from "./element.js";

const LINKS = {
  unsupported_ability: ["/models", "See what each model can do"],
  model_access_denied: ["/pricing", "See which plans open this model"],
  daily_limit_exceeded: ["/pricing", "See plans with more requests"],
  minute_limit_exceeded: ["/pricing", "See plans with more requests"],
};

export class Fault extends Error {
  // `lost`: the server was not reached, or the connection to it broke.
  constructor(message, { status, code, id, retryAfter, link, lost = false } = {}) {
    super(message);
    Object.assign(this, { status, code, id, retryAfter, lost, link: link ?? LINKS[code] });
  }

  static async of(reply) {
    let error = {};
    try {
      error = (await reply.json()).error ?? {};
    } catch { /* not our shape: the status says what there is to say */ }
    return new Fault(error.message ?? `The server answered with status ${reply.status}. Send it again.`, {
      status: reply.status,
      code: error.code,
      id: reply.headers.get("x-request-id"),
      retryAfter: reply.headers.get("retry-after"),
    });
  }

  static from(error) {
    if (error instanceof Fault) return error;
    if (error instanceof TypeError) {
      return new Fault("The server cannot be reached. Check your connection, then send it again.", { lost: true });
    }
    throw error;
  }

  static cutOff() {
    return new Fault("The connection ended before the answer was complete. Try again.", { lost: true });
  }
}

// Await a response's body, or a chunk of it. Throws Fault if the connection breaks.
export async function received(body) {
  try {
    return await body;
  } catch (error) {
    throw error instanceof TypeError ? Fault.cutOff() : error;
  }
}

export function faultBox(fault) {
  const facts = [
    fault.status && `HTTP ${fault.status}`,
    fault.code,
    fault.retryAfter && `worth another try in ${fault.retryAfter} s`,
    fault.id,
  ].filter(Boolean);
  return h("div", { class: "flash bad fault", role: "alert" },
    h("p", {}, fault.message),
    facts.length ? h("p", { class: "small muted" }, facts.join(" · ")) : "",
    fault.link ? h("p", {}, h("a", { href: fault.link[0] }, fault.link[1])) : "");
}
