// The OpenAI Node SDK against a running platform: OXLO_BASE_URL and OXLO_API_KEY say which.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const model = "smollm2-135m";
const messages = [{ role: "user", content: "Say hello." }];
const client = new OpenAI({
  baseURL: process.env.OXLO_BASE_URL,
  apiKey: process.env.OXLO_API_KEY,
  maxRetries: 0,
});

test("a chat is answered", async () => {
  const reply = await client.chat.completions.create({ model, messages, max_tokens: 8 });
  assert.equal(reply.object, "chat.completion");
  assert.ok(reply.choices[0].message.content.length > 0);
  assert.equal(reply.choices[0].logprobs, null);
  assert.match(reply._request_id, /^req_/);
});

test("a stream adds up", async () => {
  const stream = await client.chat.completions.create({
    model,
    messages,
    max_tokens: 8,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.ok(text.length > 0);
  assert.ok(usage.total_tokens > 0);
});

test("the stream helper runs to its end", async () => {
  const runner = client.chat.completions.stream({ model, messages, max_tokens: 8 });
  const final = await runner.finalChatCompletion();
  assert.ok(["stop", "length"].includes(final.choices[0].finish_reason));
});

test("a required tool is called", async () => {
  const reply = await client.chat.completions.create({
    model,
    messages: [{ role: "user", content: "Weather in Paris?" }],
    max_tokens: 200,
    tool_choice: "required",
    tools: [
      {
        type: "function",
        function: {
          name: "get_weather",
          parameters: {
            type: "object",
            properties: { city: { type: "string", maxLength: 20 } },
            required: ["city"],
            additionalProperties: false,
          },
        },
      },
    ],
  });
  const call = reply.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "get_weather");
  assert.ok("city" in JSON.parse(call.function.arguments));
  assert.equal(reply.choices[0].finish_reason, "tool_calls");
});

test("an aborted stream ends quietly", async () => {
  const stream = await client.chat.completions.create({
    model,
    messages,
    max_tokens: 400,
    stream: true,
  });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) break;
  assert.equal(chunks, 3);
});

test("a legacy completion is answered", async () => {
  const reply = await client.completions.create({ model, prompt: "One, two,", max_tokens: 6 });
  assert.equal(reply.object, "text_completion");
  assert.ok(reply.choices[0].text.length > 0);
});

test("an answer follows its schema", async () => {
  const schema = {
    type: "object",
    properties: { age: { type: "integer", minimum: 0, maximum: 99 } },
    required: ["age"],
    additionalProperties: false,
  };
  const reply = await client.chat.completions.create({
    model,
    messages: [{ role: "user", content: "How old is the person? Invent an age." }],
    max_tokens: 50,
    response_format: { type: "json_schema", json_schema: { name: "age", strict: true, schema } },
  });
  assert.ok(Number.isInteger(JSON.parse(reply.choices[0].message.content).age));
});

test("models are listed", async () => {
  const ids = [];
  for await (const one of client.models.list()) ids.push(one.id);
  assert.ok(ids.includes(model));
});

test("errors are the SDK's own", async () => {
  const bad = client.chat.completions.create({ model, messages, temperature: 2.5 });
  await assert.rejects(bad, (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    return true;
  });
  const unknown = client.chat.completions.create({ model: "gpt-4o-mini", messages });
  await assert.rejects(unknown, OpenAI.NotFoundError);
  const stranger = new OpenAI({ baseURL: process.env.OXLO_BASE_URL, apiKey: "sk_no" });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});
