// Applies the chosen language to all snippets and remembers it.

const KEY = "snippet-language";

function choose(root, language) {
  for (const input of root.querySelectorAll(`.snippet > input[value="${language}"]`)) input.checked = true;
}

export function applyLanguage(root) {
  const kept = localStorage.getItem(KEY);
  if (kept && /^[a-z]+$/.test(kept)) choose(root, kept);
}

export function watchLanguages() {
  applyLanguage(document);
  document.addEventListener("change", (event) => {
    if (!event.target.matches(".snippet > input")) return;
    localStorage.setItem(KEY, event.target.value);
    choose(document, event.target.value);
  });
}
