// Image generation and edits; a single image is streamed with previews.

import { read } from "./drawn.js";
import { h } from "./element.js";
import { received } from "./faults.js";
import { parameters } from "./knobs.js";
import { Pane } from "./pane.js";

const PARTIAL = 3;

// Decode the image first, so that replacing a preview does not shift the layout.
async function figure(image, type, prompt, ...caption) {
  const url = `data:image/${type};base64,${image.b64_json}`;
  const picture = h("img", { src: url, alt: prompt });
  await picture.decode();
  return h("figure", {}, picture, h("figcaption", {}, ...(caption.length ? caption : finished(url, type, prompt))));
}

function finished(url, type, prompt) {
  return [prompt, " ", h("a", { href: url, download: `image.${type}` }, "Download")];
}

export class Images extends Pane {
  get file() {
    return document.querySelector("#file")?.files[0];
  }

  body() {
    const prompt = document.querySelector("#message").value.trim();
    const { stream = true, ...set } = parameters();
    if (!this.file) delete set.strength;
    const body = { model: this.bench.model, prompt, ...set, response_format: "b64_json" };
    return stream && (set.n ?? 1) === 1 ? { ...body, stream: true, partial_images: PARTIAL } : body;
  }

  program() {
    const body = this.body();
    body.prompt ||= "A red circle above a blue square";
    return this.file ? { path: "/images/edits", body, files: { image: "photo.png" } } : { path: "/images/generations", body };
  }

  request() {
    const body = this.body();
    return this.file ? { path: "/images/edits", body, files: { image: this.file } } : { path: "/images/generations", body };
  }

  async send() {
    await this.submit(() => this.request(), async (reply, body, show) => {
      const made = body.stream ? [await this.watch(reply, body, show)] : (await received(reply.json())).data;
      const type = body.output_format ?? "png";
      return h("div", { class: "images" }, await Promise.all(made.map((image) => figure(image, type, body.prompt))));
    });
  }

  // Return the finished image; show previews meanwhile.
  watch(reply, { output_format: type = "png", prompt }, show) {
    return read(reply, async ({ picture, note }) => {
      if (picture) show(h("div", { class: "images" }, await figure(picture, type, prompt, h("span", { class: "muted" }, "Being drawn"))));
      else show(h("p", { class: "muted" }, note));
    });
  }
}
