// What was sent says so until the answer is there, and is sent once.

function onSubmit(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.ariaBusy === "true") {
    event.preventDefault();
    return;
  }
  form.ariaBusy = "true";
}

// A page that comes back from the browser's memory is as it was left.
function settle() {
  for (const form of document.querySelectorAll("form[aria-busy=true]")) form.ariaBusy = null;
}

export function watchForms() {
  document.addEventListener("submit", onSubmit);
  addEventListener("pageshow", settle);
}
