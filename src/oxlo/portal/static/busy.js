// Shows submitted forms as busy until the response arrives, and prevents a second submission.

function onSubmit(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.ariaBusy === "true") {
    event.preventDefault();
    return;
  }
  form.ariaBusy = "true";
}

// A page restored from the back/forward cache is still marked as busy.
function settle() {
  for (const form of document.querySelectorAll("form[aria-busy=true]")) form.ariaBusy = null;
}

export function watchForms() {
  document.addEventListener("submit", onSubmit);
  addEventListener("pageshow", settle);
}
