// The parameter form: empty fields are not sent, so that the model's defaults apply.

import { Fault } from "./faults.js";

function parsed(text, name) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault(`${name} is not JSON: ${error.message}. Correct it, then send again.`, { code: name });
  }
}

const PARSERS = {
  number: (text) => Number(text),
  whole: (text) => Number(text),
  yesno: (text) => text === "true",
  lines: (text) => text.split("\n").filter(Boolean),
  choice: (text) => text,
  text: (text) => text,
  json: (text, name) => (/^\s*[[{"\d-]/.test(text) ? parsed(text, name) : text.trim()),
  tools: (text, name) => parsed(text, name),
  format: (text) => (text === "json_schema" ? schema() : { type: text }),
};

function schema() {
  const text = document.querySelector("#schema").value;
  return { type: "json_schema", json_schema: { name: "answer", strict: true, schema: parsed(text, "Schema") } };
}

function field(knob) {
  return knob.querySelector("input, select, textarea");
}

// Parameters that were set, by name. Throws Fault for an invalid field.
export function parameters() {
  const values = {};
  for (const knob of document.querySelectorAll("#parameters .knob")) {
    const { name, kind } = knob.dataset;
    const input = field(knob);
    if (!input.checkValidity()) {
      input.reportValidity();
      throw new Fault(`${name}: ${input.validationMessage}`, { code: name });
    }
    if (input.value.trim() !== "") values[name] = PARSERS[kind](input.value, name);
  }
  return values;
}

const EXAMPLE = [{
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city, now",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}];

export function watchKnobs() {
  const form = document.querySelector("#parameters");
  const editor = document.querySelector(".schema");
  const show = () => {
    if (editor) editor.hidden = document.querySelector("#p-response_format").value !== "json_schema";
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", show);
  form.addEventListener("reset", () => setTimeout(show));
  document.querySelector("#example-tool")?.addEventListener("click", () => {
    document.querySelector("#p-tools").value = JSON.stringify(EXAMPLE, null, 2);
  });
  if (matchMedia("(max-width: 860px)").matches) document.querySelector("#knobs").open = false;
  show();
}
