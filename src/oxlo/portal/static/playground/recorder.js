// Records from the microphone between two presses of a button.

import { Fault, faultBox } from "./faults.js";

const KINDS = ["audio/webm;codecs=opus", "audio/webm", "audio/ogg;codecs=opus", "audio/mp4"];

async function microphone() {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Fault(`The microphone cannot be used (${error.name}). Allow it for this page in the browser, or choose a file.`, { code: "microphone" });
  }
}

function record(stream) {
  const type = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  const ended = new Promise((resolve) => {
    recorder.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop();
      const ending = recorder.mimeType.includes("mp4") ? "mp4" : recorder.mimeType.includes("ogg") ? "ogg" : "webm";
      resolve(new File(pieces, `recording.${ending}`, { type: recorder.mimeType }));
    });
  });
  recorder.start();
  return { recorder, ended };
}

// Let a button start and stop recordings; each is passed to `take`.
export function watchRecorder(button, problems, take) {
  if (!navigator.mediaDevices || !globalThis.MediaRecorder) return;
  let running;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (running) { running.recorder.stop(); return; }
    try {
      running = record(await microphone());
      button.textContent = "End recording";
      button.setAttribute("aria-pressed", "true");
      take(await running.ended);
    } catch (error) {
      problems.replaceChildren(faultBox(Fault.from(error)));
    } finally {
      running = undefined;
      button.textContent = "Record";
      button.removeAttribute("aria-pressed");
    }
  });
}
