// Base of all panes except chat: a form, with the newest result on top.

import { call } from "./calling.js";
import { h } from "./element.js";
import { receiptOf } from "./receipts.js";
import { run } from "./running.js";

export class Pane {
  constructor(bench) {
    this.bench = bench;
    this.results = document.querySelector("#results");
    this.problems = h("div", {});
    document.querySelector("#composer").append(this.problems);
  }

  // Send a request and show what `render(reply, show)` returns, with its receipt; until then
  // `render` can show previews.
  async submit(path, options, render) {
    await run(this.problems, async (signal) => {
      const waiting = h("div", { class: "result", "aria-busy": "true" }, h("p", { class: "muted" }, "Waiting for the answer"));
      const show = (...shown) => waiting.replaceChildren(...shown);
      this.results.querySelector(".empty")?.remove();
      this.results.prepend(waiting);
      try {
        const reply = await call(this.bench, path, { ...options(), signal });
        const id = reply.headers.get("x-request-id");
        waiting.replaceWith(h("article", { class: "result" }, await render(reply, show), receiptOf(this.bench, id)));
      } finally {
        waiting.remove();
      }
    });
  }
}

export function form(fields, files) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, typeof value === "object" ? JSON.stringify(value) : value);
  for (const [name, file] of Object.entries(files)) data.append(name, file, file.name || "recording.webm");
  return data;
}
