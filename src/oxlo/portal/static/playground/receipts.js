// Tokens, timings and receipt below each response.

import { call } from "./calling.js";
import { h } from "./element.js";
import { received } from "./faults.js";

const TRIES = 8;
const PAUSE = 300;

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function milliseconds(ms) {
  return ms >= 1000 ? `${numbers.format(ms / 1000)} s` : `${Math.round(ms)} ms`;
}

const settled = new Map(); // receipts by id, since all turns are rendered again with each message

async function receipt(bench, id) {
  if (!settled.has(id)) {
    const found = await fetched(bench, id);
    if (found.outcome === "running") return found;
    settled.set(id, found);
  }
  return settled.get(id);
}

// Fetch a request's receipt; retry while the request is still running, as just after being stopped,
// and while the server cannot be reached, as during a restart.
async function fetched(bench, id) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const receipt = await received((await call(bench, `/requests/${id}`)).json());
      if (receipt.outcome !== "running" || attempt === TRIES) return receipt;
    } catch (fault) {
      if (!fault.lost || attempt === TRIES) throw fault;
    }
    await new Promise((resolve) => { setTimeout(resolve, PAUSE * attempt); });
  }
}

function pace(receipt) {
  const { first_token_ms: first, total_ms: total } = receipt.timings;
  const tokens = receipt.usage.completion_tokens;
  return tokens > 1 && first && total > first
    ? `${numbers.format((tokens - 1) / ((total - first) / 1000))} tokens/s` : "";
}

function line(receipt) {
  const { usage, timings } = receipt;
  return [
    usage.prompt_tokens && `${numbers.format(usage.prompt_tokens)} tokens in`,
    usage.completion_tokens && `${numbers.format(usage.completion_tokens)} out`,
    timings.queue_ms >= 1 && `waited ${milliseconds(timings.queue_ms)}`,
    usage.completion_tokens && timings.first_token_ms && `first token after ${milliseconds(timings.first_token_ms)}`,
    timings.total_ms && `${milliseconds(timings.total_ms)} in all`,
    pace(receipt),
    receipt.counted ? "counted" : "not counted",
  ].filter(Boolean).join(" · ");
}

function remaining(receipt) {
  const left = receipt.limits.day.remaining;
  return left === null ? "" : ` ${numbers.format(left)} requests left today.`;
}

// Return an element that loads its receipt. `id` is the response's x-request-id.
export function receiptOf(bench, id) {
  const text = h("span", {}, "Fetching the receipt");
  const link = h("a", { href: `/dashboard/requests/${id}` }, "Receipt");
  const box = h("p", { class: "receipt small muted", "data-request": id }, text, " · ", link);
  receipt(bench, id).then(
    (known) => {
      text.textContent = line(known);
      box.title = known.reason + remaining(known);
      box.classList.add("known");
    },
    (fault) => { text.textContent = fault.lost ? "The receipt could not be fetched" : `No receipt: ${fault.message}`; },
  );
  return box;
}
