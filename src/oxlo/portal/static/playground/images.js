// Images from words, or from an image and words.

import { h } from "./element.js";
import { parameters } from "./knobs.js";
import { form, Pane } from "./pane.js";

function figure(image, prompt, type) {
  const url = `data:image/${type};base64,${image.b64_json}`;
  return h("figure", {}, h("img", { src: url, alt: prompt }), h("figcaption", {}, prompt, " ", h("a", { href: url, download: `image.${type}` }, "Download")));
}

export class Images extends Pane {
  get file() {
    return document.querySelector("#file")?.files[0];
  }

  body() {
    const prompt = document.querySelector("#message").value.trim();
    const set = parameters();
    if (!this.file) delete set.strength;
    return { model: this.bench.model, prompt, ...set };
  }

  program() {
    const body = this.body();
    body.prompt ||= "A red circle above a blue square";
    body.response_format = "url";
    return this.file ? { path: "/images/edits", body, files: { image: "photo.png" } } : { path: "/images/generations", body };
  }

  async send() {
    const file = this.file;
    const body = { ...this.body(), response_format: "b64_json" };
    const what = () => (file ? { form: form(body, { image: file }) } : { json: body });
    await this.submit(file ? "/images/edits" : "/images/generations", what, async (reply) => {
      const made = (await reply.json()).data;
      return h("div", { class: "images" }, made.map((image) => figure(image, body.prompt, body.output_format ?? "png")));
    });
  }
}
