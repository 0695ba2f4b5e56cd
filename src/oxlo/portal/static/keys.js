// Keyboard shortcuts: "/" focuses the search, "?" lists shortcuts, "g" and a letter opens a page.

const PAGES = {
  h: "/", m: "/models", p: "/pricing", d: "/docs", s: "/status", t: "/playground",
  o: "/dashboard", k: "/dashboard/api-keys", u: "/dashboard/usage", r: "/dashboard/requests",
};
let went = -Infinity;

function typing(target) {
  return target.closest?.("input, textarea, select, [contenteditable]");
}

export function watchKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const dialog = document.querySelector("#shortcuts");
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "?" && dialog && !dialog.open) {
      event.preventDefault();
      dialog.showModal();
    } else if (event.key === "g") {
      went = event.timeStamp;
    } else if (PAGES[event.key] && event.timeStamp - went < 1000) {
      location.href = PAGES[event.key];
    }
  });
}
