// Keeps the badge with the model's state up to date.

import { call } from "./calling.js";
import { h, svg } from "./element.js";

const PAUSE = 2000;

function ready() {
  const mark = svg("svg", { width: 10, height: 10, viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("circle", { cx: 5, cy: 5, r: 5 }));
  return h("span", { class: "badge ok" }, mark, "Ready");
}

export async function watchReadiness(bench) {
  if (bench.state !== "starting") return;
  try {
    const { status } = await (await call(bench, `/models/${bench.model}`)).json();
    if (status === "ready") {
      document.querySelector("#state").replaceChildren(ready());
      return;
    }
  } catch { /* errors are shown when a request is sent */ }
  setTimeout(() => watchReadiness(bench), PAUSE);
}
