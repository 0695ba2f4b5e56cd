// Images with the OpenAI Node SDK: OXLO_BASE_URL and OXLO_API_KEY say against which platform.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";

const model = "tiny-scenes";
const prompt = "a large red circle in the centre on a white background";
const client = new OpenAI({
  baseURL: process.env.OXLO_BASE_URL,
  apiKey: process.env.OXLO_API_KEY,
  maxRetries: 0,
});
const PNG = "89504e470d0a1a0a";
const bytes = (item) => Buffer.from(item.b64_json, "base64");

test("a link and base64 are the same image", async () => {
  const reply = await client.images.generate({ model, prompt, seed: 7 });
  const [item] = reply.data;
  assert.equal(bytes(item).subarray(0, 8).toString("hex"), PNG);
  const linked = await fetch(item.url);
  assert.equal(linked.headers.get("content-type"), "image/png");
  assert.deepEqual(Buffer.from(await linked.arrayBuffer()), bytes(item));
});

test("the same seed gives the same bytes", async () => {
  const ask = (seed) => client.images.generate({ model, prompt, seed, response_format: "b64_json" });
  const [first, again, other] = [await ask(7), await ask(7), await ask(8)];
  assert.equal(first.data[0].b64_json, again.data[0].b64_json);
  assert.notEqual(first.data[0].b64_json, other.data[0].b64_json);
});

test("a stream shows the image as it comes", async () => {
  const ask = { model, prompt, seed: 7 };
  const stream = await client.images.generate({ ...ask, stream: true, partial_images: 2 });
  const events = [];
  for await (const event of stream) events.push(event);
  const [partial, completed] = ["partial_image", "completed"].map((name) => `image_generation.${name}`);
  assert.deepEqual(events.map((event) => event.type), [partial, partial, completed]);
  for (const event of events) assert.equal(bytes(event).subarray(0, 8).toString("hex"), PNG);
  const whole = await client.images.generate(ask);
  assert.equal(events.at(-1).b64_json, whole.data[0].b64_json);
});

test("an image is edited", async () => {
  const made = await client.images.generate({ model, prompt, seed: 7 });
  const image = await toFile(bytes(made.data[0]), "scene.png", { type: "image/png" });
  const edited = await client.images.edit({ model, image, prompt: "a blue square", strength: 0.9 });
  assert.equal(bytes(edited.data[0]).subarray(0, 8).toString("hex"), PNG);
  assert.notDeepEqual(bytes(edited.data[0]), bytes(made.data[0]));
});

test("a size that it cannot draw is refused with those that it can", async () => {
  const call = client.images.generate({ model, prompt, size: "300x300" });
  await assert.rejects(call, (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.param, "size");
    assert.match(error.message, /64x64/);
    return true;
  });
});
