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

  // Send what `request()` returns (path, body, files by field name), and show what
  // `render(reply, body, show)` returns, with its receipt; until then `render` can show previews.
  async submit(request, render) {
    await run(this.problems, async (signal) => {
      const { path, body, files } = request();
      const waiting = h("div", { class: "result", "aria-busy": "true" }, h("p", { class: "muted" }, "Waiting for the answer"));
      const show = (...shown) => waiting.replaceChildren(...shown);
      this.results.querySelector(".empty")?.remove();
      this.results.prepend(waiting);
      try {
        const content = files ? { form: form(body, files) } : { json: body };
        const reply = await call(this.bench, path, { ...content, signal });
        const id = reply.headers.get("x-request-id");
        waiting.replaceWith(h("article", { class: "result" }, await render(reply, body, show), receiptOf(this.bench, id)));
      } finally {
        waiting.remove();
      }
    });
  }
}

function form(fields, files) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, typeof value === "object" ? JSON.stringify(value) : value);
  for (const [name, file] of Object.entries(files)) data.append(name, file, file.name || "recording.webm");
  return data;
}
