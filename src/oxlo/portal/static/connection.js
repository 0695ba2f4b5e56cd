// Warns when a page that updates itself can no longer reach the server.

const WORDS = "The server is not responding. This page may be out of date; trying again.";

function note() {
  const made = document.createElement("p");
  made.id = "connection";
  made.className = "flash bad";
  made.setAttribute("role", "alert");
  made.textContent = WORDS;
  return made;
}

function lost() {
  if (!document.getElementById("connection")) document.querySelector("main").prepend(note());
}

function back() {
  document.getElementById("connection")?.remove();
}

export function watchConnection() {
  for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, lost);
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status >= 500) lost();
    else back();
  });
}
