// Detection: the image with a box around each object.

import { h, svg } from "./element.js";
import { received } from "./faults.js";
import { parameters } from "./knobs.js";
import { Pane } from "./pane.js";

// Position of a label: above its box, or lower if it would overlap another label.
function labelY(left, top, unit, labels) {
  let y = Math.max(top - unit * 4, unit * 14);
  while (labels.some((other) => Math.abs(other.y - y) < unit * 14 && Math.abs(other.x - left) < unit * 140)) y += unit * 16;
  labels.push({ x: left, y });
  return y;
}

function box(detection, unit, labels) {
  const [left, top, right, bottom] = detection.bbox_xyxy;
  const name = svg("text", { x: left + unit * 4, y: labelY(left, top, unit, labels), "font-size": unit * 14 });
  name.textContent = `${detection.label} ${detection.confidence.toFixed(2)}`;
  return svg("g", {}, svg("rect", { x: left, y: top, width: right - left, height: bottom - top }), name);
}

function picture(url, answer) {
  const { width, height } = answer.image;
  const unit = width / 640;
  const labels = [];
  const image = svg("image", { href: url, width, height });
  return svg("svg", { class: "found", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `The picture, with ${answer.count} boxes` },
    image, ...answer.detections.map((detection) => box(detection, unit, labels)));
}

function list(answer) {
  if (!answer.count) return h("p", {}, "Nothing was found. Lower the confidence to see less certain things.");
  return h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Thing"), h("th", { scope: "col", class: "num" }, "Confidence"))),
    h("tbody", {}, answer.detections.map((one) => h("tr", {}, h("th", { scope: "row" }, one.label), h("td", { class: "num" }, one.confidence.toFixed(2))))));
}

export class Detection extends Pane {
  body() {
    return { model: this.bench.model, ...parameters() };
  }

  program() {
    return { path: "/detect", body: this.body(), files: { image: "photo.jpg" } };
  }

  async send() {
    const file = document.querySelector("#file").files[0];
    await this.submit(() => ({ path: "/detect", body: this.body(), files: { image: file } }), async (reply) => {
      const answer = await received(reply.json());
      return h("div", {}, picture(URL.createObjectURL(file), answer), list(answer));
    });
  }
}
