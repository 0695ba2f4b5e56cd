// The message input with its images. The tab keeps the text while other pages are visited.

import { h } from "./element.js";
import { Fault, faultBox } from "./faults.js";
import { Pictures } from "./pictures.js";

export class Composer {
  constructor(box, slot) {
    const [field, picture, container] = ["#message", "#picture", "#pictures"].map((id) => box.querySelector(id));
    Object.assign(this, { box, field, slot, problems: h("div", {}) });
    field.value ||= sessionStorage.getItem(slot) ?? "";
    field.addEventListener("input", () => this.keep());
    box.prepend(this.problems); // inside the box, which stays in view
    if (picture) this.pictures = new Pictures(box, picture, container, (error) => this.unread(error));
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.keep();
  }

  keep() {
    try {
      sessionStorage.setItem(this.slot, this.text);
    } catch { /* quota exceeded: it is still on the page */ }
  }

  focus() {
    this.field.focus();
  }

  // Take the focus, unless the user has moved it elsewhere.
  refocus() {
    const { activeElement } = document;
    if (activeElement === document.body || this.box.contains(activeElement)) this.field.focus({ preventScroll: true });
  }

  // The draft as a list of one turn, or empty.
  drafted() {
    const text = this.text.trim();
    const images = this.pictures?.urls ?? [];
    return text || images.length ? [{ role: "user", text, images }] : [];
  }

  // The same, once all chosen files have been read.
  async complete() {
    await this.pictures?.reading;
    return this.drafted();
  }

  // Replace the draft, with nothing unless a turn is given.
  fill({ text = "", images = [] } = {}) {
    this.text = text;
    this.pictures?.set(images);
  }

  unread(error) {
    const message = `A picture could not be read: ${error.message} Choose it again.`;
    this.problems.replaceChildren(faultBox(new Fault(message, { code: "file" })));
  }

  // Keep the end of `item` visible above the composer, unless the user has scrolled away.
  follow(item, most = 160) {
    const hidden = item.getBoundingClientRect().bottom - this.box.getBoundingClientRect().top;
    if (hidden > 0 && hidden < most) scrollBy({ top: hidden + 16, behavior: "instant" });
  }
}
