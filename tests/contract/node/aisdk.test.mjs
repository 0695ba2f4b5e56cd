// The Vercel AI SDK: OXLO_BASE_URL and OXLO_API_KEY say against which platform.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, Output, streamText, tool } from "ai";
import { z } from "zod";

const oxlo = createOpenAICompatible({
  name: "oxlo",
  baseURL: process.env.OXLO_BASE_URL,
  apiKey: process.env.OXLO_API_KEY,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const call = { model: oxlo("smollm2-135m"), maxRetries: 0, maxOutputTokens: 200, temperature: 0 };
const one = { oxlo: { parallel_tool_calls: false } };
const weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string().max(20) }),
  execute: async ({ city }) => `sunny in ${city}`,
});

test("a text is generated, with its usage", async () => {
  const { text, usage } = await generateText({ ...call, prompt: "Say hello." });
  assert.ok(text.length > 0);
  assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
});

test("a stream adds up, and ends with its usage", async () => {
  const result = streamText({ ...call, prompt: "Say hello." });
  const pieces = [];
  for await (const piece of result.textStream) pieces.push(piece);
  assert.equal(pieces.join(""), await result.text);
  assert.ok((await result.usage).outputTokens > 0);
});

test("an output follows its schema", async () => {
  const schema = z.object({ name: z.string().max(20), age: z.number().int().min(0).max(120) });
  const { output } = await generateText({
    ...call,
    prompt: "Invent a person.",
    output: Output.object({ schema }),
  });
  assert.equal(typeof output.name, "string");
  assert.ok(Number.isInteger(output.age));
});

test("a tool is run, and its result is answered", async () => {
  const { steps } = await generateText({
    ...call,
    prompt: "What is the weather in Paris?",
    tools: { weather },
    providerOptions: one,
    prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
    stopWhen: ({ steps }) => steps.length === 2,
  });
  assert.equal(steps[0].toolResults[0].output, `sunny in ${steps[0].toolCalls[0].input.city}`);
  assert.equal(steps.length, 2);
});

test("a streamed tool call is whole", async () => {
  const result = streamText({
    ...call,
    prompt: "What is the weather in Paris?",
    tools: { weather },
    providerOptions: one,
    toolChoice: "required",
  });
  const [first] = await result.toolCalls;
  assert.equal(first.toolName, "weather");
  assert.equal(typeof first.input.city, "string");
});

test("texts become vectors", async () => {
  const model = oxlo.embeddingModel("minilm-l6");
  const { embeddings } = await embedMany({ model, values: ["one", "two", "three"] });
  assert.deepEqual(embeddings.map((vector) => vector.length), [384, 384, 384]);
});

test("errors keep their status and words", async () => {
  const wrong = generateText({ ...call, model: oxlo("nothing"), prompt: "Say hello." });
  await assert.rejects(wrong, (error) => error.statusCode === 404 && /nothing/.test(error.message));
});
