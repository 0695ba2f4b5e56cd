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
    this.kept = [];
    try {
      this.kept = JSON.parse(localStorage.getItem(this.slot)) ?? [];
    } catch { /* not ours, or cut off: begin anew */ }
    if (!Array.isArray(this.kept)) this.kept = [];
  }

  // Images are left out because of their size.
  put({ system, turns }) {
    const light = turns.map((turn) => ({ ...turn, images: [] }));
    this.kept.unshift({ at: Date.now(), title: titleOf(turns), system, turns: light });
    this.keep();
  }

  take(index) {
    const [taken] = this.kept.splice(index, 1);
    this.keep();
    return taken;
  }

  putBack(index, one) {
    this.kept.splice(index, 0, one);
    this.keep();
  }

  // Drop the oldest if there are too many, or if the quota is exceeded.
  keep() {
    this.kept.length = Math.min(this.kept.length, MOST);
    for (;;) {
      try {
        localStorage.setItem(this.slot, JSON.stringify(this.kept));
        return;
      } catch {
        if (!this.kept.pop()) return;
      }
    }
  }
}
