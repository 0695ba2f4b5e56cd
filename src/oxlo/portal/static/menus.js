// Pop-up menus: Escape closes one and returns the focus; a click or focus elsewhere just closes it.

const OPEN = "details.menu[open]";

function onEscape(event) {
  const menu = event.key === "Escape" && document.querySelector(OPEN);
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
}

function onLeaving(event) {
  for (const menu of document.querySelectorAll(OPEN)) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}

export function watchMenus() {
  document.addEventListener("keydown", onEscape);
  document.addEventListener("focusin", onLeaving);
  document.addEventListener("click", onLeaving);
}
