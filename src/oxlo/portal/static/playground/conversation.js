// The current conversation, stored only in this browser.

export class Conversation {
  constructor(account) {
    this.slot = `playground:${account}:chat`;
    this.system = "";
    this.turns = [];
    try {
      Object.assign(this, JSON.parse(localStorage.getItem(this.slot)));
    } catch { /* not ours, or truncated: start anew */ }
    if (!Array.isArray(this.turns)) this.clear();
  }

  clear() {
    this.system = "";
    this.turns = [];
    localStorage.removeItem(this.slot);
  }

  save() {
    const serialized = (turns) => JSON.stringify({ system: this.system, turns });
    try {
      localStorage.setItem(this.slot, serialized(this.turns));
    } catch { // quota exceeded: images take most of the space
      try {
        localStorage.setItem(this.slot, serialized(this.turns.map((turn) => ({ ...turn, images: [] }))));
      } catch { /* it is still on the page */ }
    }
  }

  // Messages for the API.
  messages(turns = this.turns) {
    const history = turns.map(message);
    return this.system.trim() ? [{ role: "system", content: this.system.trim() }, ...history] : history;
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
