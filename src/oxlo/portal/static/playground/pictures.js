// Images attached to a message: chosen, dropped or pasted; each can be removed.

import { h } from "./element.js";
import { dataUrls } from "./uploads.js";

const images = (files) => [...files].filter((file) => file.type.startsWith("image/"));

export class Pictures {
  constructor(composer, input, container) {
    Object.assign(this, { input, container, urls: [] });
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

  async add(files) {
    this.set([...this.urls, ...(await dataUrls(images(files)))]);
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
