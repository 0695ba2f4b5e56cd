// Runs one request at a time, with a button that stops it.

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

// Run `work(signal)` unless a request is running; show errors in `problems`. Resolves to whether the
// work completed.
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

// Only one of the two buttons is enabled; move the focus to it if the other had it.
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

// Show the elapsed time: a wait without feedback feels longer.
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
