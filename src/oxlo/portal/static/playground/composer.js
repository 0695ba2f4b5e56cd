// The message input with its images.

import { h } from "./element.js";
import { Fault, faultBox } from "./faults.js";
import { Pictures } from "./pictures.js";

export class Composer {
  constructor(box) {
    const [field, picture, container] = ["#message", "#picture", "#pictures"].map((id) => box.querySelector(id));
    Object.assign(this, { box, field, problems: h("div", {}) });
    box.prepend(this.problems); // inside the box, which stays in view
    if (picture) this.pictures = new Pictures(box, picture, container, (error) => this.unread(error));
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
  }

  focus(how) {
    this.field.focus(how);
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
