// Speech and transcription with the OpenAI Node SDK: OXLO_BASE_URL and OXLO_API_KEY say where.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({
  baseURL: process.env.OXLO_BASE_URL,
  apiKey: process.env.OXLO_API_KEY,
  maxRetries: 0,
});
const said = "Hello, and welcome to the show.";
let spoken;

test("a text is spoken", async () => {
  const reply = await client.audio.speech.create({
    model: "kokoro-82m",
    voice: "onyx",
    input: said,
    response_format: "mp3",
  });
  assert.equal(reply.headers.get("content-type"), "audio/mpeg");
  spoken = Buffer.from(await reply.arrayBuffer());
  assert.equal(spoken.subarray(0, 3).toString(), "ID3");
});

test("speech is heard", async () => {
  const file = await toFile(spoken, "speech.mp3");
  const reply = await client.audio.transcriptions.create({ model: "whisper-base", file });
  assert.match(reply.text, /welcome to the show/i);
});

test("words are timed", async () => {
  const reply = await client.audio.transcriptions.create({
    model: "whisper-base",
    file: await toFile(spoken, "speech.mp3"),
    response_format: "verbose_json",
    timestamp_granularities: ["word"],
  });
  assert.equal(reply.language, "english");
  assert.ok(reply.words.length >= 5);
  assert.ok(reply.words.every((word) => word.end >= word.start));
});

test("text comes as events", async () => {
  const stream = await client.audio.transcriptions.create({
    model: "whisper-base",
    file: await toFile(spoken, "speech.mp3"),
    stream: true,
  });
  const types = [];
  for await (const event of stream) types.push(event.type);
  assert.equal(types.at(-1), "transcript.text.done");
  assert.ok(types.includes("transcript.text.delta"));
});

test("speech is put into English", async () => {
  const file = await toFile(spoken, "speech.mp3");
  const reply = await client.audio.translations.create({ model: "whisper-base", file });
  assert.match(reply.text, /welcome to the show/i);
});

test("voices are listed, and others refused", async () => {
  const { voices } = await client.get("/audio/voices");
  assert.ok(voices.includes("af_heart"));
  const call = client.audio.speech.create({ model: "kokoro-82m", voice: "nobody", input: said });
  await assert.rejects(call, (error) => error.status === 400 && error.param === "voice");
});

test("what is no recording is refused", async () => {
  const file = await toFile(Buffer.from("a text"), "speech.wav");
  await assert.rejects(
    client.audio.transcriptions.create({ model: "whisper-base", file }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === "file",
  );
});
