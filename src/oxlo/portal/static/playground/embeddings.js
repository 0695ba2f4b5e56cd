// Embeddings: cosine similarity between texts.

import { h } from "./element.js";
import { received } from "./faults.js";
import { parameters } from "./knobs.js";
import { Pane } from "./pane.js";

function cosine(a, b) {
  let dot = 0, left = 0, right = 0;
  for (let i = 0; i < a.length; i += 1) { dot += a[i] * b[i]; left += a[i] ** 2; right += b[i] ** 2; }
  return dot / Math.sqrt(left * right);
}

function closest(texts, vectors) {
  let best = [-2];
  for (let i = 0; i < vectors.length; i += 1) {
    for (let j = i + 1; j < vectors.length; j += 1) {
      const near = cosine(vectors[i], vectors[j]);
      if (near > best[0]) best = [near, texts[i], texts[j]];
    }
  }
  return best.length > 1 ? `Closest: “${best[1]}” and “${best[2]}”, ${best[0].toFixed(3)}.` : "";
}

function cell(value) {
  const shade = Math.max(0, Math.min(10, Math.round(value * 10)));
  return h("td", { class: `num near-${shade}` }, value.toFixed(3));
}

function table(texts, vectors) {
  const head = h("tr", {}, h("th", { scope: "col" }, "Text"), texts.map((_, i) => h("th", { scope: "col", class: "num" }, `${i + 1}`)));
  const rows = texts.map((text, i) => h("tr", {}, h("th", { scope: "row" }, `${i + 1}. ${text}`), vectors.map((other) => cell(cosine(vectors[i], other)))));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Similarity" },
    h("table", { class: "similarity" }, h("thead", {}, head), h("tbody", {}, rows)));
}

export class Embeddings extends Pane {
  texts() {
    return document.querySelector("#message").value.split("\n").map((line) => line.trim()).filter(Boolean);
  }

  body() {
    return { model: this.bench.model, input: this.texts(), ...parameters() };
  }

  program() {
    return { path: "/embeddings", body: this.body() };
  }

  async send() {
    await this.submit(() => ({ path: "/embeddings", body: this.body() }), async (reply, { input: texts }) => {
      const vectors = (await received(reply.json())).data.map((item) => item.embedding);
      return h("div", {},
        h("p", {}, `${vectors.length} ${vectors.length === 1 ? "vector" : "vectors"} of ${vectors[0].length} numbers. ${closest(texts, vectors)}`),
        table(texts, vectors));
    });
  }
}
