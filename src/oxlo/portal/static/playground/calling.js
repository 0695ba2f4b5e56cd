// A request to the public API, like any other client's.

import { Fault } from "./faults.js";
import { key } from "./sessionkey.js";

async function sent(secret, path, { json, form, signal }) {
  const headers = { Authorization: `Bearer ${secret}` };
  if (json) headers["Content-Type"] = "application/json";
  const body = json ? JSON.stringify(json) : form;
  return fetch(`/v1${path}`, { method: body ? "POST" : "GET", headers, body, signal });
}

// Resolves like `promise`, unless `signal` is aborted first: then rejects with its reason.
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  const aborted = new Promise((_, reject) => { signal.addEventListener("abort", () => reject(signal.reason)); });
  return Promise.race([promise, aborted]);
}

// Resolves to the response once its headers arrive. Throws Fault, or the reason of `signal`.
export async function call(bench, path, what = {}) {
  try {
    let secret = await unlessAborted(key(bench), what.signal);
    let reply = await sent(secret, path, what);
    if (reply.status === 401) {
      secret = await unlessAborted(key(bench, secret), what.signal);
      reply = await sent(secret, path, what);
    }
    if (!reply.ok) throw await Fault.of(reply);
    return reply;
  } catch (error) {
    if (what.signal?.aborted) throw error;
    throw Fault.from(error);
  }
}
