// Images attached to a message: chosen, dropped or pasted; each can be removed.

import { h } from "./element.js";
import { dataUrls } from "./uploads.js";

const images = (files) => [...files].filter((file) => file.type.startsWith("image/"));

export class Pictures {
  // `failed` is called when a file cannot be read.
  constructor(composer, input, container, failed) {
    Object.assign(this, { input, container, failed, urls: [], reading: Promise.resolve() });
    input.addEventListener("change", () => this.add(input.files));
    composer.addEventListener("paste", (event) => this.take(event, event.clipboardData));
    composer.addEventListener("dragover", (event) => {
      if ([...event.dataTransfer.types].includes("Files")) event.preventDefault();
    });
    composer.addEventListener("drop", (event) => this.take(event, event.dataTransfer));
  }

  take(event, transfer) {
    const added = images(transfer.files);
    if (!added.length) return;
    event.preventDefault();
    this.add(added);
  }

  // Append images in the order in which they were chosen; `reading` resolves once they are all here.
  add(files) {
    const urls = dataUrls(images(files)).catch((error) => { this.failed(error); return []; });
    this.reading = this.reading.then(async () => this.set([...this.urls, ...(await urls)]));
    this.input.value = "";
  }

  set(urls) {
    this.urls = urls;
    this.container.replaceChildren(...urls.map((url, index) => this.figure(url, index)));
  }

  figure(url, index) {
    const remove = () => { this.set(this.urls.filter((_, other) => other !== index)); this.input.focus(); };
    return h("figure", {},
      h("img", { src: url, alt: `Picture ${index + 1} to send` }),
      h("button", { type: "button", class: "quiet", "aria-label": `Take picture ${index + 1} out`, onclick: remove }, "Remove"));
  }
}
