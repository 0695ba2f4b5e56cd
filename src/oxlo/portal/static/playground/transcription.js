// Transcription of a recording or an uploaded file.

import { h } from "./element.js";
import { Fault, faultBox, received } from "./faults.js";
import { parameters } from "./knobs.js";
import { Pane } from "./pane.js";
import { watchRecorder } from "./recorder.js";

const PLAIN = ["text", "srt", "vtt"];

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}

function segments(listed) {
  return h("dl", { class: "facts" }, listed.map((one) => [h("dt", {}, `${clock(one.start)}–${clock(one.end)}`), h("dd", {}, one.text.trim())]));
}

export class Transcription extends Pane {
  constructor(bench) {
    super(bench);
    this.input = document.querySelector("#file");
    this.input.addEventListener("change", () => this.take(this.input.files[0]));
    watchRecorder(document.querySelector("#record"), this.problems, (file) => { this.input.value = ""; this.take(file); });
  }

  take(file) {
    this.file = file;
    URL.revokeObjectURL(this.url);
    this.url = file && URL.createObjectURL(file);
    document.querySelector("#heard").replaceChildren(file ? h("audio", { controls: true, src: this.url }) : "");
  }

  body() {
    return { model: this.bench.model, ...parameters() };
  }

  program() {
    return { path: "/audio/transcriptions", body: this.body(), files: { file: this.file?.name ?? "speech.mp3" } };
  }

  async send() {
    if (!this.file) {
      this.problems.replaceChildren(faultBox(new Fault("There is no recording yet. Record yourself or choose a file.")));
      return;
    }
    const request = () => ({ path: "/audio/transcriptions", body: this.body(), files: { file: this.file } });
    await this.submit(request, async (reply, body) => {
      if (PLAIN.includes(body.response_format)) return h("pre", { tabindex: "0" }, await received(reply.text()));
      const answer = await received(reply.json());
      return h("div", {}, h("p", { class: "said" }, answer.text.trim() || "Nothing was heard."), answer.segments ? segments(answer.segments) : "");
    });
  }
}
