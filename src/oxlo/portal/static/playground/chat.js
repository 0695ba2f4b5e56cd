// Chat: what is said goes to the model whole, each time.

import { read } from "./answer.js";
import { call } from "./calling.js";
import { Conversation } from "./conversation.js";
import { h } from "./element.js";
import { parameters } from "./knobs.js";
import { FileText } from "./literals.js";
import { Past } from "./past.js";
import { showPast } from "./pastlist.js";
import { Pictures } from "./pictures.js";
import { isRunning, run } from "./running.js";
import { liveItem, turnItem } from "./turns.js";
import { forgetUndo, offerUndo } from "./undoing.js";

const at = (selector) => document.querySelector(selector);

export class Chat {
  constructor(bench) {
    this.bench = bench;
    this.said = new Conversation(bench.account);
    this.past = new Past(bench.account);
    this.list = at("#turns");
    this.message = at("#message");
    this.pictures = at("#picture") ? new Pictures(at("#composer"), at("#picture"), at("#pictures")) : undefined;
    this.problems = h("div", {});
    at("#composer").prepend(this.problems); // it stays in view, and so do they
    this.watch();
    this.begin();
  }

  watch() {
    at("#system").addEventListener("input", () => { this.said.system = at("#system").value; this.said.keep(); });
    at("#clear").addEventListener("click", () => { if (!isRunning()) this.putAway(); });
    for (const sample of document.querySelectorAll(".sample")) {
      sample.addEventListener("click", () => { this.message.value = sample.textContent; this.message.focus(); });
    }
  }

  // Show the conversation as it was kept, or as it was opened.
  begin() {
    at("#system").value = this.said.system;
    at(".system").open = Boolean(this.said.system);
    this.render();
  }

  render() {
    const acts = {
      answer: (turn, made, text) => this.answerCall(turn, made, text),
      edit: (turn) => this.edit(turn),
      again: (turn) => this.again(turn),
    };
    const last = this.said.turns.at(-1);
    this.list.replaceChildren(...this.said.turns.map((turn) => turnItem(this.bench, turn, acts, turn === last)));
    at("#empty").hidden = this.said.turns.length > 0;
    at("#clear").disabled = this.said.turns.length === 0 && !this.said.system;
    showPast(at("#past"), this.past.kept, { open: (index) => this.open(index), drop: (index) => this.drop(index) });
  }

  // A new conversation; the one before is among the earlier ones.
  putAway() {
    if (this.said.turns.length) this.past.put(this.said);
    this.said.clear();
    this.settle();
  }

  open(index) {
    if (isRunning()) return;
    const taken = this.past.take(index);
    if (this.said.turns.length) this.past.put(this.said);
    Object.assign(this.said, { system: taken.system, turns: taken.turns });
    this.said.keep();
    at("#past").open = false;
    this.settle();
  }

  drop(index) {
    const taken = this.past.take(index);
    this.render();
    offerUndo(`“${taken.title}” is deleted.`, () => { this.past.putBack(index, taken); this.render(); });
  }

  settle() {
    this.problems.replaceChildren();
    forgetUndo();
    this.begin();
    this.message.focus();
  }

  // Take a message back into the composer; what came after it goes, and can be had back.
  edit(turn) {
    if (isRunning()) return;
    const { turns } = this.said;
    const typed = this.message.value;
    this.replace(turns.slice(0, turns.indexOf(turn)));
    this.message.value = turn.text;
    this.pictures?.set(turn.images ?? []);
    offerUndo("The conversation is taken back to this message.", () => {
      this.replace(turns);
      this.message.value = typed;
      this.pictures?.set([]);
    });
    this.message.focus();
  }

  // Ask for the last answer once more.
  async again(turn) {
    const { turns } = this.said;
    if (isRunning()) return;
    this.said.turns = turns.slice(0, turns.indexOf(turn));
    await this.exchange([], () => { this.said.turns = turns; });
  }

  replace(turns) {
    this.said.turns = turns;
    this.said.keep();
    this.render();
  }

  drafted() {
    const text = this.message.value.trim();
    const images = this.pictures?.urls ?? [];
    return text || images.length ? [{ role: "user", text, images }] : [];
  }

  body(turns) {
    const set = parameters();
    const stream = set.stream ?? true;
    delete set.stream;
    const usage = stream ? { stream: true, stream_options: { include_usage: true } } : {};
    return { model: this.bench.model, messages: this.said.messages(turns), ...set, ...usage };
  }

  // What "View code" shows: the conversation with what is written now; pictures as files.
  program() {
    const turns = [...this.said.turns, ...this.drafted()];
    const body = this.body(turns.length ? turns : [{ role: "user", text: "Say hello." }]);
    for (const message of body.messages) {
      for (const part of Array.isArray(message.content) ? message.content : []) {
        if (part.image_url) part.image_url = { url: new FileText("photo.jpg", "image/jpeg") };
      }
    }
    delete body.stream_options;
    return { path: "/chat/completions", body };
  }

  async send() {
    const drafted = this.drafted();
    if (!drafted.length) { this.message.focus(); return; }
    await this.exchange(drafted);
  }

  async answerCall(turn, made, text) {
    (turn.answered ??= []).push(made.id);
    const result = { role: "tool", call: made.id, text };
    if (turn.answered.length < turn.calls.length) this.replace([...this.said.turns, result]);
    else await this.exchange([result], () => turn.answered.pop());
  }

  // Send these turns; when nothing comes back they are taken back, and the message can be mended.
  async exchange(added, undo = () => {}) {
    const turn = { role: "assistant", model: this.bench.model, text: "", reasoning: "", calls: [] };
    const before = [...this.said.turns];
    const typed = this.message.value;
    forgetUndo();
    const done = await run(this.problems, async (signal) => {
      const body = this.body([...before, ...added]);
      this.said.turns = [...before, ...added];
      this.render();
      if (added.length) this.message.value = "";
      await this.ask(body, turn, signal);
    });
    turn.stopped = !done && !this.problems.hasChildNodes();
    if (done || turn.text || turn.reasoning || turn.calls.length) {
      this.said.turns.push(turn);
      if (added.length) this.pictures?.set([]);
    } else {
      this.said.turns = before;
      this.message.value ||= typed;
      undo();
    }
    this.replace(this.said.turns);
    if (this.list.lastElementChild) this.follow(); // the receipt came below what was in view
    this.message.focus({ preventScroll: true });
  }

  async ask(body, turn, signal) {
    const { item, show } = liveItem(this.bench, this.bench.model);
    this.list.append(item);
    this.follow(Infinity);
    const reply = await call(this.bench, "/chat/completions", { json: body, signal });
    turn.id = reply.headers.get("x-request-id");
    await read(reply, turn, (now) => { show(now); this.follow(); });
  }

  // Keep the end in view above the composer, for as long as the reader is there.
  follow(most = 160) {
    const end = this.list.lastElementChild.getBoundingClientRect().bottom;
    const hidden = end - at("#composer").getBoundingClientRect().top;
    if (hidden > 0 && hidden < most) scrollBy({ top: hidden + 16, behavior: "instant" });
  }
}
