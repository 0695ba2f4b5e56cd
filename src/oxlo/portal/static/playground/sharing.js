// A link to the current parameters and input, in the URL fragment, which browsers do not send.

const FIELDS = "#parameters .knob :is(input, select, textarea), #schema, #system, #message";

function fields() {
  return [...document.querySelectorAll(FIELDS)].filter((field) => field.id);
}

// A link to a model, with everything that differs from the defaults.
export function linkTo(bench) {
  const set = fields().filter((field) => field.value !== field.dataset.begun).map((field) => [field.id, field.value]);
  const query = new URLSearchParams({ mode: bench.mode, model: bench.model });
  const link = new URL(`/playground?${query}`, location.href);
  if (set.length) link.hash = `set=${encodeURIComponent(JSON.stringify(Object.fromEntries(set)))}`;
  return link.href;
}

export function rememberDefaults() {
  for (const field of fields()) field.dataset.begun = field.value;
}

// Fill in the values of a link; values that a field does not accept are ignored.
export function fillFromLink() {
  if (!location.hash.startsWith("#set=")) return;
  try {
    const values = JSON.parse(decodeURIComponent(location.hash.slice(5)));
    for (const field of fields()) {
      if (typeof values[field.id] !== "string") continue;
      field.value = values[field.id];
      field.dispatchEvent(new Event("input", { bubbles: true }));
      for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) if (values[field.id]) box.open = true;
    }
  } catch { /* cut off, or not ours: the page stays as it is */ }
  history.replaceState(null, "", location.pathname + location.search);
}

export function watchSharing(bench) {
  document.querySelector("#share").addEventListener("click", (event) => { event.currentTarget.dataset.copy = linkTo(bench); }, { capture: true });
}
