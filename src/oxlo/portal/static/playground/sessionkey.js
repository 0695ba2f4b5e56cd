// The page's hidden API key: bound to the session, valid for an hour.

import { Fault } from "./faults.js";

let asking;

function slot(bench) {
  return `playground:${bench.account}:key`;
}

function kept(bench) {
  try {
    const found = JSON.parse(localStorage.getItem(slot(bench)));
    return found && found.expires_at * 1000 > Date.now() + 60_000 ? found.key : undefined;
  } catch {
    return undefined;
  }
}

async function made(bench) {
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
  const found = kept(bench);
  if (found && found !== refused) return found;
  asking ??= made(bench).finally(() => { asking = undefined; });
  return asking;
}
