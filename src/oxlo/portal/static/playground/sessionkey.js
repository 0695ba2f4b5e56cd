// The page's hidden API key: bound to the session, valid for an hour.

import { Fault } from "./faults.js";

let pending;

function slot(bench) {
  return `playground:${bench.account}:key`;
}

function stored(bench) {
  try {
    const issued = JSON.parse(localStorage.getItem(slot(bench)));
    return issued && issued.expires_at * 1000 > Date.now() + 60_000 ? issued.key : undefined;
  } catch {
    return undefined;
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
  const answer = await reply.json();
  localStorage.setItem(slot(bench), JSON.stringify(answer));
  return answer.key;
}

// `refused`: a key that the API has just rejected. Another tab may already have a newer one.
export async function key(bench, refused) {
  const current = stored(bench);
  if (current && current !== refused) return current;
  pending ??= requestKey(bench).finally(() => { pending = undefined; });
  return pending;
}
