// Chat: every request sends the whole conversation.

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

const hasContent = (turn) => Boolean(turn.text || turn.reasoning || turn.calls.length);
const at = (selector) => document.querySelector(selector);

export class Chat {
  constructor(bench) {
    this.bench = bench;
    this.conversation = new Conversation(bench.account);
    this.past = new Past(bench.account);
    this.list = at("#turns");
    this.composer = new Composer(at("#composer"), `playground:${bench.account}:draft`);
    this.problems = this.composer.problems;
    this.watch();
    this.begin();
  }

  watch() {
    at("#system").addEventListener("input", () => {
      this.conversation.system = at("#system").value;
      this.conversation.save();
      this.allowNew();
    });
    at("#clear").addEventListener("click", () => { if (!isRunning()) this.startNew(); });
    addEventListener("storage", ({ key }) => { if (key === this.past.slot) this.renderPast(); });
    for (const sample of document.querySelectorAll(".sample")) {
      sample.addEventListener("click", () => { this.composer.text = sample.textContent; this.composer.focus(); });
    }
  }

  // Show the stored or reopened conversation.
  begin() {
    at("#system").value = this.conversation.system;
    at(".system").open = Boolean(this.conversation.system);
    this.render();
  }

  render() {
    const actions = {
      answer: (turn, made, text) => this.answerCall(turn, made, text),
      edit: (turn) => this.edit(turn),
      again: (turn) => this.again(turn),
    };
    const last = this.conversation.turns.at(-1);
    this.list.replaceChildren(...this.conversation.turns.map((turn) => turnItem(this.bench, turn, actions, turn === last)));
    at("#empty").hidden = this.conversation.turns.length > 0;
    this.allowNew();
    this.renderPast();
  }

  allowNew() {
    at("#clear").disabled = this.conversation.turns.length === 0 && !this.conversation.system;
  }

  renderPast() {
    showPast(at("#past"), this.past.conversations, { open: (one) => this.open(one), drop: (one) => this.drop(one) });
  }

  // Start a new conversation and move the current one to the earlier ones.
  startNew() {
    this.putAway();
    this.settle();
  }

  putAway() {
    const { system, turns } = this.conversation;
    this.conversation.clear(); // before the earlier ones are saved: its images may fill the storage
    if (turns.length) this.past.put({ system, turns });
  }

  open(entry) {
    if (isRunning()) return;
    this.past.take(entry);
    this.putAway();
    Object.assign(this.conversation, { system: entry.system, turns: entry.turns });
    this.conversation.save();
    at("#past").open = false;
    this.settle();
  }

  drop(entry) {
    const index = this.past.take(entry);
    this.renderPast();
    offerUndo(`“${entry.title}” is deleted.`, () => { this.past.putBack(index, entry); this.renderPast(); });
  }

  settle() {
    this.problems.replaceChildren();
    forgetUndo();
    this.begin();
    this.composer.focus();
  }

  // Put a message back into the composer and remove what follows it; can be undone.
  edit(turn) {
    if (isRunning()) return;
    const { turns } = this.conversation;
    const [draft] = this.composer.drafted();
    this.replace(turns.slice(0, turns.indexOf(turn)));
    this.composer.fill(turn);
    offerUndo("The conversation is taken back to this message.", () => {
      this.replace(turns);
      this.composer.fill(draft);
    });
    this.composer.focus();
  }

  // Regenerate the last answer.
  async again(turn) {
    const { turns } = this.conversation;
    if (isRunning()) return;
    this.conversation.turns = turns.slice(0, turns.indexOf(turn));
    await this.exchange([], { failed: () => { this.conversation.turns = turns; } });
  }

  replace(turns) {
    this.conversation.turns = turns;
    this.conversation.save();
    this.render();
  }

  body(turns) {
    const set = parameters();
    const stream = set.stream ?? true;
    delete set.stream;
    const usage = stream ? { stream: true, stream_options: { include_usage: true } } : {};
    return { model: this.bench.model, messages: this.conversation.messages(turns), ...set, ...usage };
  }

  // The request for "View code": the conversation with the current draft, and images as files.
  async program() {
    const turns = [...this.conversation.turns, ...(await this.composer.complete())];
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
    const [draft] = await this.composer.complete();
    if (isRunning()) return;
    if (!draft) { this.composer.focus(); return; }
    await this.exchange([draft], {
      begun: () => this.composer.fill(),
      failed: () => { if (!this.composer.drafted().length) this.composer.fill(draft); },
    });
  }

  async answerCall(turn, made, text) {
    if (isRunning()) return;
    (turn.answered ??= []).push(made.id);
    const result = { role: "tool", call: made.id, text };
    if (turn.answered.length < turn.calls.length) this.replace([...this.conversation.turns, result]);
    else await this.exchange([result], { failed: () => { turn.answered.pop(); turn.unsent = { ...turn.unsent, [made.id]: text }; } });
  }

  // Send these turns. `begun` is called when they are in the conversation, `failed` when there is
  // no answer and they are out of it again.
  async exchange(added, { begun = () => {}, failed = () => {} }) {
    const turn = { role: "assistant", model: this.bench.model, text: "", reasoning: "", calls: [] };
    const before = [...this.conversation.turns];
    const leave = () => this.keep(turn);
    forgetUndo();
    addEventListener("pagehide", leave); // after which the request may end, or not
    const done = await run(this.problems, async (signal) => {
      const body = this.body([...before, ...added]);
      this.conversation.turns = [...before, ...added];
      this.render();
      begun();
      if (added.length) this.conversation.save();
      await this.ask(body, turn, signal);
    });
    removeEventListener("pagehide", leave);
    turn.stopped = !done;
    if (done || hasContent(turn)) {
      this.conversation.turns.push(turn);
    } else {
      this.conversation.turns = before;
      failed();
    }
    this.replace(this.conversation.turns);
    if (this.list.lastElementChild) this.composer.follow(this.list.lastElementChild); // the receipt was added below the visible part
    this.composer.refocus();
  }

  // Store an answer that the user leaves unfinished.
  keep(turn) {
    if (hasContent(turn)) this.conversation.save([...this.conversation.turns, { ...turn, stopped: true }]);
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
