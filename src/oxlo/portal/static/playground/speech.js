// Text to speech.

import { h } from "./element.js";
import { received } from "./faults.js";
import { parameters } from "./knobs.js";
import { Pane } from "./pane.js";

export class Speech extends Pane {
  body() {
    const input = document.querySelector("#message").value.trim();
    const set = parameters();
    return { model: this.bench.model, input, ...set, voice: set.voice ?? this.voice() };
  }

  voice() {
    return document.querySelector("[data-name=voice]")?.dataset.default || "alloy";
  }

  program() {
    const body = this.body();
    body.input ||= "Hello, and welcome to the show.";
    return { path: "/audio/speech", body };
  }

  async send() {
    await this.submit(() => ({ path: "/audio/speech", body: this.body() }), async (reply, body) => {
      const kind = body.response_format ?? "mp3";
      const url = URL.createObjectURL(await received(reply.blob()));
      const player = kind === "pcm" ? h("p", {}, "Browsers do not play raw samples; the file can be downloaded.") : h("audio", { controls: true, src: url });
      return h("div", {}, h("p", {}, body.input), player,
        h("p", { class: "small" }, `${body.voice} · `, h("a", { href: url, download: `speech.${kind}` }, `Download ${kind}`)));
    });
  }
}
