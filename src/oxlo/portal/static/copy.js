// Copy buttons of snippets and values.

function textOf(button) {
  if (button.dataset.copy) return button.dataset.copy;
  const box = button.closest(".snippet, .code, .secret");
  const shown = [...box.querySelectorAll("pre, code.value")].find((one) => one.offsetParent);
  return shown ? typed(shown.innerText.trimEnd()) : "";
}

// From a terminal session, copy only the commands, without prompts and output.
function typed(text) {
  if (!text.startsWith("$ ")) return text;
  return text.split("\n").filter((line) => line.startsWith("$ ")).map((line) => line.slice(2)).join("\n");
}

// The clipboard API needs HTTPS or localhost; elsewhere copy a selection.
async function keep(text, button) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  button.after(field); // nothing outside an open dialog can be selected
  field.select();
  const kept = document.execCommand("copy");
  field.remove();
  button.focus();
  if (!kept) throw new Error("the browser copies nothing");
}

function say(button, words) {
  button.dataset.label ??= button.textContent;
  button.textContent = words;
  clearTimeout(button.saying);
  button.saying = setTimeout(() => { button.textContent = button.dataset.label; }, 2000);
}

async function copy(button) {
  try {
    await keep(textOf(button), button);
    say(button, "Copied");
  } catch {
    say(button, "Not copied");
  }
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
