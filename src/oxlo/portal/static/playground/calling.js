// One call of the public API, as any program would make it.

import { Fault } from "./faults.js";
import { key } from "./sessionkey.js";

async function sent(secret, path, { json, form, signal }) {
  const headers = { Authorization: `Bearer ${secret}` };
  if (json) headers["Content-Type"] = "application/json";
  const body = json ? JSON.stringify(json) : form;
  return fetch(`/v1${path}`, { method: body ? "POST" : "GET", headers, body, signal });
}

// The reply, once its head is there. Throws Fault, or what `signal` aborts with.
export async function call(bench, path, what = {}) {
  try {
    let secret = await key(bench);
    let reply = await sent(secret, path, what);
    if (reply.status === 401) {
      secret = await key(bench, secret);
      reply = await sent(secret, path, what);
    }
    if (!reply.ok) throw await Fault.of(reply);
    return reply;
  } catch (error) {
    if (what.signal?.aborted) throw error;
    throw Fault.from(error);
  }
}
