// Records from the microphone between two presses of a button.

import { Fault, faultBox } from "./faults.js";

const KINDS = ["audio/webm;codecs=opus", "audio/webm", "audio/ogg;codecs=opus", "audio/mp4"];

// Start a recording once the user has allowed it.
async function started() {
  try {
    return record(await navigator.mediaDevices.getUserMedia({ audio: true }));
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
  return { ended, end: () => { if (recorder.state === "recording") recorder.stop(); } };
}

// Let a button start and stop recordings; each is passed to `take`.
export function watchRecorder(button, problems, take) {
  if (!navigator.mediaDevices || !globalThis.MediaRecorder) return;
  let busy = false; // also while the user is asked for permission
  let recording;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (busy) { recording?.end(); return; }
    busy = true;
    try {
      recording = await started();
      button.textContent = "End recording";
      button.setAttribute("aria-pressed", "true");
      take(await recording.ended);
    } catch (error) {
      problems.replaceChildren(faultBox(Fault.from(error)));
    } finally {
      busy = false;
      recording = undefined;
      button.textContent = "Record";
      button.removeAttribute("aria-pressed");
    }
  });
}
