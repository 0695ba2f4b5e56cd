// The message that is being written, and its pictures.

import { h } from "./element.js";
import { Pictures } from "./pictures.js";

export class Composer {
  constructor(box) {
    const [field, picture, shelf] = ["#message", "#picture", "#pictures"].map((id) => box.querySelector(id));
    const pictures = picture ? new Pictures(box, picture, shelf) : undefined;
    Object.assign(this, { box, field, pictures, problems: h("div", {}) });
    box.prepend(this.problems); // it stays in view, and so do they
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

  // What is written, as a turn; none where nothing is.
  drafted() {
    const text = this.text.trim();
    const images = this.pictures?.urls ?? [];
    return text || images.length ? [{ role: "user", text, images }] : [];
  }

  // Keep the end of `item` in view above it, for as long as the reader is there.
  follow(item, most = 160) {
    const hidden = item.getBoundingClientRect().bottom - this.box.getBoundingClientRect().top;
    if (hidden > 0 && hidden < most) scrollBy({ top: hidden + 16, behavior: "instant" });
  }
}
