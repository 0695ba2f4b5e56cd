// The playground: the mode's pane, its parameters, and a program that makes the same request.

import { Chat } from "./chat.js";
import { Detection } from "./detection.js";
import { Embeddings } from "./embeddings.js";
import { faultBox } from "./faults.js";
import { Images } from "./images.js";
import { watchKnobs } from "./knobs.js";
import { programs } from "./program.js";
import { watchReadiness } from "./readiness.js";
import { watchKeys } from "./running.js";
import { fillFromLink, linkTo, rememberDefaults, watchSharing } from "./sharing.js";
import { Speech } from "./speech.js";
import { Transcription } from "./transcription.js";

const PANES = { chat: Chat, images: Images, speech: Speech, transcription: Transcription, embeddings: Embeddings, detection: Detection };

function watchCode(bench, pane) {
  const dialog = document.querySelector("#code");
  document.querySelector("#show-code").addEventListener("click", async () => {
    try {
      const shown = programs({ ...(await pane.program()), base: bench.base });
      for (const code of dialog.querySelectorAll("[data-language]")) code.textContent = shown[code.dataset.language];
      dialog.showModal();
    } catch (error) {
      if (!("code" in error)) throw error;
      pane.problems.replaceChildren(faultBox(error));
    }
  });
}

// Another model is another page, with the same input and parameters.
function watchChooser(bench) {
  const chooser = document.querySelector("#model");
  chooser.addEventListener("change", () => { location.href = linkTo({ ...bench, model: chooser.value }); });
  // On the way back, browsers restore the choice that led away.
  addEventListener("pageshow", () => { chooser.value = bench.model; });
}

function begin(root) {
  const bench = { ...root.dataset };
  rememberDefaults();
  const pane = new PANES[bench.pane](bench);
  fillFromLink();
  watchSharing(bench);
  watchChooser(bench);
  const form = document.querySelector("#composer");
  form.addEventListener("submit", (event) => { event.preventDefault(); pane.send(); });
  watchKnobs();
  watchKeys(form);
  watchCode(bench, pane);
  watchReadiness(bench);
  root.dataset.begun = "";
}

const root = document.querySelector("#playground");
if (root) begin(root);
