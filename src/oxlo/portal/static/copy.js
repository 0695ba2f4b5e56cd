// Copy buttons: beside each snippet, filled with what it shows.

function textOf(button) {
  if (button.dataset.copy) return button.dataset.copy;
  const box = button.closest(".snippet, .code, .secret");
  const shown = [...box.querySelectorAll("pre, code.value")].find((one) => one.offsetParent);
  return shown ? typed(shown.innerText.trimEnd()) : "";
}

// Of a session at a terminal, what was typed: neither the prompt nor what came back.
function typed(text) {
  if (!text.startsWith("$ ")) return text;
  return text.split("\n").filter((line) => line.startsWith("$ ")).map((line) => line.slice(2)).join("\n");
}

async function copy(button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(textOf(button));
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C";
    const range = document.createRange();
    range.selectNodeContents(button.closest(".snippet, .code, .secret"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
  setTimeout(() => { button.textContent = before; }, 2000);
}

export function showCopyButtons(root) {
  for (const button of root.querySelectorAll("button.copy[hidden]")) button.hidden = false;
}

export function watchCopyButtons() {
  showCopyButtons(document);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (button) copy(button);
  });
}
