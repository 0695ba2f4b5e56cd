// What is under way: one call at a time, with a button that stops it.

import { faultBox } from "./faults.js";

const send = () => document.querySelector("#send");
const stop = () => document.querySelector("#stop");
const elapsed = () => document.querySelector("#elapsed");

let running;
let ticking;

export function isRunning() {
  return running !== undefined;
}

function stopRunning() {
  running?.abort();
}

// Run `work(signal)` unless something runs already; what goes wrong is shown in `problems`.
// Whether it went to its end.
export async function run(problems, work) {
  if (running) return false;
  const here = running = new AbortController();
  problems.replaceChildren();
  show({ stopping: true });
  try {
    await work(here.signal);
    return true;
  } catch (error) {
    if (!here.signal.aborted) problems.replaceChildren(faultBox(asFault(error)));
    return false;
  } finally {
    running = undefined;
    show({ stopping: false });
  }
}

// One of the two buttons can be used; whoever is on the other is led to it.
function show({ stopping }) {
  const [old, next] = stopping ? [send(), stop()] : [stop(), send()];
  const here = document.activeElement === old;
  send().disabled = stopping;
  stop().hidden = false;
  if (here) next.focus();
  stop().hidden = !stopping;
  clearInterval(ticking);
  elapsed().textContent = "";
  if (stopping) count(Date.now());
}

// How long it takes already: a wait without a sign is longer.
function count(begun) {
  ticking = setInterval(() => {
    elapsed().textContent = `${Math.round((Date.now() - begun) / 1000)} s`;
  }, 1000);
}

function asFault(error) {
  if (error.name !== "Fault" && !("status" in error)) console.error(error);
  return error;
}

export function watchKeys(form) {
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && running && !document.querySelector("dialog[open]")) stopRunning();
  });
  stop().addEventListener("click", stopRunning);
}
