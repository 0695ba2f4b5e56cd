// Keeps the badge with the model's state up to date.

import { h, svg } from "./element.js";

const PAUSE = 10_000;
// While the model is not ready, or the server cannot be reached.
const SHORT = 2000;
// A server that does not answer for so long counts as unreachable.
const PATIENCE = 5000;

const SHAPES = {
  ok: ["circle", { cx: 5, cy: 5, r: 5 }],
  warn: ["path", { d: "M5 0l5 10H0z" }],
  bad: ["path", { d: "M0 0h10v10H0z" }],
  off: ["circle", { cx: 5, cy: 5, r: 4, "stroke-width": 1.5 }],
};
const BADGES = {
  ready: ["ok", "Ready"],
  starting: ["warn", "Starting"],
  failing: ["bad", "Failing"],
  stopped: ["off", "Not served here"],
  unreachable: ["bad", "Server not reachable"],
};

function badge(state) {
  const [kind, text] = BADGES[state];
  const mark = svg("svg", { width: 10, height: 10, viewBox: "0 0 10 10", "aria-hidden": "true" }, svg(...SHAPES[kind]));
  return h("span", { class: `badge ${kind}` }, mark, text);
}

// The state of a model: a key of BADGES; undefined if the response does not tell.
async function stateOf(model) {
  let reply;
  try {
    reply = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    return "unreachable";
  }
  try {
    return (await reply.json()).models[model] ?? "stopped";
  } catch { // a proxy's answer
    return reply.status >= 500 ? "unreachable" : undefined;
  }
}

async function update(bench) {
  const state = await stateOf(bench.model);
  if (!(state in BADGES) || state === bench.state) return;
  bench.state = state;
  document.querySelector("#state").replaceChildren(badge(state));
}

export async function watchReadiness(bench) {
  if (!document.hidden) await update(bench);
  setTimeout(() => watchReadiness(bench), bench.state === "ready" ? PAUSE : SHORT);
}
