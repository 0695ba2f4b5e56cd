// The page's hidden API key: bound to the session, valid for an hour.

import { Fault } from "./faults.js";

let pending;
let latest; // the only copy if the browser's storage is full, as pictures can make it

function slot(bench) {
  return `playground:${bench.account}:key`;
}

function stored(bench) {
  let issued = latest;
  try {
    issued = JSON.parse(localStorage.getItem(slot(bench))) ?? latest;
  } catch { /* not ours */ }
  return issued?.expires_at * 1000 > Date.now() + 60_000 ? issued.key : undefined;
}

function store(bench, issued) {
  latest = issued;
  try {
    localStorage.setItem(slot(bench), JSON.stringify(issued));
  } catch {
    localStorage.removeItem(slot(bench)); // an older key
  }
}

async function requestKey(bench) {
  const reply = await fetch("/playground/key", {
    method: "POST",
    body: new URLSearchParams({ csrf: bench.csrf }),
    headers: { Accept: "application/json" },
  });
  if (reply.redirected || reply.status === 403) {
    const error = reply.redirected ? {} : (await reply.json()).error;
    throw new Fault(
      error.message ?? "You are logged out. Log in again to go on; the conversation stays in this browser.",
      { link: ["/login?returnUrl=" + encodeURIComponent(location.pathname + location.search), "Log in"] },
    );
  }
  if (!reply.ok) throw await Fault.of(reply);
  const issued = await reply.json();
  store(bench, issued);
  return issued.key;
}

// `refused`: a key that the API has just rejected. Another tab may already have a newer one.
export async function key(bench, refused) {
  const current = stored(bench);
  if (current && current !== refused) return current;
  pending ??= requestKey(bench).finally(() => { pending = undefined; });
  return pending;
}
