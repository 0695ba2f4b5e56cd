// Chat: what is said goes to the model whole, each time.

import { read } from "./answer.js";
import { call } from "./calling.js";
import { Conversation } from "./conversation.js";
import { h } from "./element.js";
import { parameters } from "./knobs.js";
import { FileText } from "./literals.js";
import { run } from "./running.js";
import { liveItem, turnItem } from "./turns.js";
import { dataUrls } from "./uploads.js";

const at = (selector) => document.querySelector(selector);

export class Chat {
  constructor(bench) {
    this.bench = bench;
    this.said = new Conversation(bench.account);
    this.list = at("#turns");
    this.message = at("#message");
    this.problems = h("div", {});
    at("#composer").prepend(this.problems); // it stays in view, and so do they
    this.watch();
    this.render();
  }

  watch() {
    const system = at("#system");
    system.value = this.said.system;
    at(".system").open = Boolean(this.said.system);
    system.addEventListener("input", () => { this.said.system = system.value; this.said.keep(); });
    at("#clear").addEventListener("click", () => { this.said.clear(); system.value = ""; this.problems.replaceChildren(); this.render(); this.message.focus(); });
    for (const sample of document.querySelectorAll(".sample")) {
      sample.addEventListener("click", () => { this.message.value = sample.textContent; this.message.focus(); });
    }
    at("#picture")?.addEventListener("change", () => this.preview());
  }

  async preview() {
    const urls = await dataUrls(at("#picture").files);
    at("#pictures").replaceChildren(...urls.map((url) => h("img", { src: url, alt: "A picture to send", class: "sent" })));
  }

  render() {
    const answer = (turn, made, text) => this.answerCall(turn, made, text);
    this.list.replaceChildren(...this.said.turns.map((turn) => turnItem(this.bench, turn, answer)));
    at("#empty").hidden = this.said.turns.length > 0;
    at("#clear").disabled = this.said.turns.length === 0 && !this.said.system;
  }

  async drafted() {
    const text = this.message.value.trim();
    const images = await dataUrls(at("#picture")?.files ?? []);
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
  async program() {
    const turns = [...this.said.turns, ...(await this.drafted())];
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
    const drafted = await this.drafted();
    if (!drafted.length) { this.message.focus(); return; }
    await this.exchange(drafted);
  }

  async answerCall(turn, made, text) {
    (turn.answered ??= []).push(made.id);
    const result = { role: "tool", call: made.id, text };
    if (turn.answered.length < turn.calls.length) {
      this.said.turns.push(result);
      this.said.keep();
      this.render();
    } else await this.exchange([result], () => turn.answered.pop());
  }

  // Send these turns; when nothing comes back they are taken back, and the message can be mended.
  async exchange(added, undo = () => {}) {
    const turn = { role: "assistant", model: this.bench.model, text: "", reasoning: "", calls: [] };
    const before = [...this.said.turns];
    const typed = this.message.value;
    const done = await run(this.problems, async (signal) => {
      const body = this.body([...before, ...added]);
      this.said.turns = [...before, ...added];
      this.render();
      this.message.value = "";
      await this.ask(body, turn, signal);
    });
    turn.stopped = !done && !this.problems.hasChildNodes();
    const worth = turn.text || turn.reasoning || turn.calls.length;
    if (done || worth) {
      this.said.turns.push(turn);
      if (at("#picture")) { at("#picture").value = ""; at("#pictures").replaceChildren(); }
    } else {
      this.said.turns = before;
      this.message.value ||= typed;
      undo();
    }
    this.said.keep();
    this.render();
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
