// The current conversation, stored only in this browser: for this tab, and for the next new tab.

export class Conversation {
  constructor(account) {
    this.slot = `playground:${account}:chat`;
    this.system = "";
    this.turns = [];
    try {
      Object.assign(this, JSON.parse(sessionStorage.getItem(this.slot) ?? localStorage.getItem(this.slot)));
    } catch { /* not ours, or truncated: start anew */ }
    if (!Array.isArray(this.turns)) this.clear();
  }

  clear() {
    this.system = "";
    this.turns = [];
    if (localStorage.getItem(this.slot) === sessionStorage.getItem(this.slot)) localStorage.removeItem(this.slot); // else another tab's
    sessionStorage.setItem(this.slot, "null");
  }

  save(turns = this.turns) {
    const light = turns.map((turn) => ({ ...turn, images: [] })); // images take most of the space
    const texts = [turns, light].map((kept) => JSON.stringify({ system: this.system, turns: kept }));
    for (const storage of [sessionStorage, localStorage]) storeFirst(storage, this.slot, texts);
  }

  // Messages for the API.
  messages(turns = this.turns) {
    const history = turns.map(message);
    return this.system.trim() ? [{ role: "system", content: this.system.trim() }, ...history] : history;
  }
}

// Store the first of the texts that the quota allows. If it allows none, they are still on the page.
function storeFirst(storage, slot, texts) {
  for (const text of texts) {
    try {
      storage.setItem(slot, text);
      return;
    } catch { /* quota exceeded */ }
  }
}

function message(turn) {
  if (turn.role === "tool") return { role: "tool", tool_call_id: turn.call, content: turn.text };
  if (turn.role === "assistant") {
    return { role: "assistant", content: turn.text, ...(turn.calls?.length ? { tool_calls: turn.calls } : {}) };
  }
  if (!turn.images?.length) return { role: "user", content: turn.text };
  const images = turn.images.map((url) => ({ type: "image_url", image_url: { url } }));
  const text = turn.text ? [{ type: "text", text: turn.text }] : [];
  return { role: "user", content: [...text, ...images] };
}
