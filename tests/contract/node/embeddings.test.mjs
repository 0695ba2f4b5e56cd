// Embeddings with the OpenAI Node SDK: OXLO_BASE_URL and OXLO_API_KEY say against which platform.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const model = "minilm-l6";
const client = new OpenAI({
  baseURL: process.env.OXLO_BASE_URL,
  apiKey: process.env.OXLO_API_KEY,
  maxRetries: 0,
});
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

test("a text becomes a vector of unit length", async () => {
  const reply = await client.embeddings.create({ model, input: "The food was delicious." });
  const [{ embedding, index }] = reply.data;
  assert.equal(index, 0);
  assert.equal(embedding.length, 384);
  assert.ok(Math.abs(dot(embedding, embedding) - 1) < 1e-5);
  assert.ok(reply.usage.prompt_tokens > 0);
});

test("paraphrases are close", async () => {
  const input = ["The cat sits outside.", "A man plays guitar.", "A cat is sitting outdoors."];
  const reply = await client.embeddings.create({ model, input });
  const [cat, guitar, outdoors] = reply.data.map((item) => item.embedding);
  assert.ok(dot(cat, outdoors) > 0.9);
  assert.ok(dot(cat, guitar) < 0.2);
});

test("token ids are texts", async () => {
  const ids = await client.embeddings.create({ model, input: [9906, 1917] });
  const text = await client.embeddings.create({ model, input: "Hello world" });
  assert.deepEqual(ids.data[0].embedding, text.data[0].embedding);
});

test("what is too long is refused with the numbers", async () => {
  const call = client.embeddings.create({ model, input: "word ".repeat(300) });
  await assert.rejects(call, (error) => {
    assert.equal(error.code, "context_length_exceeded");
    assert.equal(error.error.allowed_tokens, 256);
    return true;
  });
});
