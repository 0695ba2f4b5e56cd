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
  }

  // Read anew each time, since another tab may have changed them.
  get conversations() {
    try {
      const stored = JSON.parse(localStorage.getItem(this.slot));
      return Array.isArray(stored) ? stored : [];
    } catch { // not ours, or truncated
      return [];
    }
  }

  // Images are left out because of their size.
  put({ system, turns }) {
    const light = turns.map((turn) => ({ ...turn, images: [] }));
    this.save([{ at: Date.now(), title: titleOf(turns), system, turns: light }, ...this.conversations]);
  }

  // Remove a conversation, which is known by its time. Returns its position.
  take({ at }) {
    const all = this.conversations;
    this.save(all.filter((one) => one.at !== at));
    return all.findIndex((one) => one.at === at);
  }

  putBack(index, conversation) {
    const all = this.conversations;
    all.splice(Math.max(index, 0), 0, conversation);
    this.save(all);
  }

  // Drop the oldest if there are too many, or if the quota is exceeded.
  save(conversations) {
    const kept = conversations.slice(0, MOST);
    for (;;) {
      try {
        localStorage.setItem(this.slot, JSON.stringify(kept));
        return;
      } catch {
        if (!kept.pop()) return;
      }
    }
  }
}
