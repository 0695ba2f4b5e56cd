// The message input with its images.

import { h } from "./element.js";
import { Pictures } from "./pictures.js";

export class Composer {
  constructor(box) {
    const [field, picture, container] = ["#message", "#picture", "#pictures"].map((id) => box.querySelector(id));
    const pictures = picture ? new Pictures(box, picture, container) : undefined;
    Object.assign(this, { box, field, pictures, problems: h("div", {}) });
    box.prepend(this.problems); // inside the box, which stays in view
  }

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
  }

  setPictures(urls) {
    this.pictures?.set(urls);
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

  // Keep the end of `item` visible above the composer, unless the user has scrolled away.
  follow(item, most = 160) {
    const hidden = item.getBoundingClientRect().bottom - this.box.getBoundingClientRect().top;
    if (hidden > 0 && hidden < most) scrollBy({ top: hidden + 16, behavior: "instant" });
  }
}
