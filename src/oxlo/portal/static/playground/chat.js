// Chat: what is said goes to the model whole, each time.

import { read } from "./answer.js";
import { call } from "./calling.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { parameters } from "./knobs.js";
import { FileText } from "./literals.js";
import { Past } from "./past.js";
import { showPast } from "./pastlist.js";
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
    this.composer = new Composer(at("#composer"));
    this.watch();
    this.begin();
  }

  watch() {
    at("#system").addEventListener("input", () => { this.said.system = at("#system").value; this.said.keep(); });
    at("#clear").addEventListener("click", () => { if (!isRunning()) this.putAway(); });
    for (const sample of document.querySelectorAll(".sample")) {
      sample.addEventListener("click", () => { this.composer.text = sample.textContent; this.composer.focus(); });
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
    this.composer.problems.replaceChildren();
    forgetUndo();
    this.begin();
    this.composer.focus();
  }

  // Take a message back into the composer; what came after it goes, and can be had back.
  edit(turn) {
    if (isRunning()) return;
    const { turns } = this.said;
    const typed = this.composer.text;
    this.replace(turns.slice(0, turns.indexOf(turn)));
    this.composer.text = turn.text;
    this.composer.setPictures(turn.images ?? []);
    offerUndo("The conversation is taken back to this message.", () => {
      this.replace(turns);
      this.composer.text = typed;
      this.composer.setPictures([]);
    });
    this.composer.focus();
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

  body(turns) {
    const set = parameters();
    const stream = set.stream ?? true;
    delete set.stream;
    const usage = stream ? { stream: true, stream_options: { include_usage: true } } : {};
    return { model: this.bench.model, messages: this.said.messages(turns), ...set, ...usage };
  }

  // What "View code" shows: the conversation with what is written now; pictures as files.
  program() {
    const turns = [...this.said.turns, ...this.composer.drafted()];
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
    const drafted = this.composer.drafted();
    if (!drafted.length) { this.composer.focus(); return; }
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
    const typed = this.composer.text;
    forgetUndo();
    const done = await run(this.composer.problems, async (signal) => {
      const body = this.body([...before, ...added]);
      this.said.turns = [...before, ...added];
      this.render();
      if (added.length) this.composer.text = "";
      await this.ask(body, turn, signal);
    });
    turn.stopped = !done && !this.composer.problems.hasChildNodes();
    if (done || turn.text || turn.reasoning || turn.calls.length) {
      this.said.turns.push(turn);
      if (added.length) this.composer.setPictures([]);
    } else {
      this.said.turns = before;
      this.composer.text ||= typed;
      undo();
    }
    this.replace(this.said.turns);
    if (this.list.lastElementChild) this.composer.follow(this.list.lastElementChild); // the receipt came below what was in view
    this.composer.focus({ preventScroll: true });
  }

  async ask(body, turn, signal) {
    const { item, show } = liveItem(this.bench, this.bench.model);
    this.list.append(item);
    this.composer.follow(item, Infinity);
    const reply = await call(this.bench, "/chat/completions", { json: body, signal });
    turn.id = reply.headers.get("x-request-id");
    await read(reply, turn, (now) => { show(now); this.composer.follow(item); });
  }
}
