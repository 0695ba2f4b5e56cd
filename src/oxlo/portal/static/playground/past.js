// Earlier conversations, newest first, stored only in this browser.

const MOST = 30;
const TITLE = 60;

function titleOf(turns) {
  const text = turns.find((turn) => turn.role === "user" && turn.text)?.text ?? "Pictures";
  return text.length > TITLE ? `${text.slice(0, TITLE).trimEnd()}…` : text;
}

export class Past {
  constructor(account) {
    this.slot = `playground:${account}:past`;
    this.conversations = [];
    try {
      this.conversations = JSON.parse(localStorage.getItem(this.slot)) ?? [];
    } catch { /* not ours, or cut off: begin anew */ }
    if (!Array.isArray(this.conversations)) this.conversations = [];
  }

  // Images are left out because of their size.
  put({ system, turns }) {
    const light = turns.map((turn) => ({ ...turn, images: [] }));
    this.conversations.unshift({ at: Date.now(), title: titleOf(turns), system, turns: light });
    this.save();
  }

  take(index) {
    const [removed] = this.conversations.splice(index, 1);
    this.save();
    return removed;
  }

  putBack(index, one) {
    this.conversations.splice(index, 0, one);
    this.save();
  }

  // Drop the oldest if there are too many, or if the quota is exceeded.
  save() {
    this.conversations.length = Math.min(this.conversations.length, MOST);
    for (;;) {
      try {
        localStorage.setItem(this.slot, JSON.stringify(this.conversations));
        return;
      } catch {
        if (!this.conversations.pop()) return;
      }
    }
  }
}
