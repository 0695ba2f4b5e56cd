// Generates programs in Python, Node and curl that make the page's request.

import { FileText, literal, quoted, shellBody } from "./literals.js";

// SDK method of each endpoint, and the arguments that Python's method knows.
const CALLS = {
  "/chat/completions": {
    python: "chat.completions.create", node: "chat.completions.create",
    known: "model messages temperature max_tokens top_p stop stream stream_options seed response_format frequency_penalty presence_penalty logit_bias logprobs top_logprobs user metadata reasoning_effort tools tool_choice parallel_tool_calls",
  },
  "/images/generations": { python: "images.generate", node: "images.generate", known: "model prompt n size response_format output_format output_compression quality user stream partial_images" },
  "/images/edits": { python: "images.edit", node: "images.edit", known: "model image prompt n size response_format output_format output_compression quality user stream partial_images" },
  "/audio/speech": { python: "audio.speech.create", node: "audio.speech.create", known: "model voice input speed response_format" },
  "/audio/transcriptions": { python: "audio.transcriptions.create", node: "audio.transcriptions.create", known: "model file language prompt response_format temperature" },
  "/embeddings": { python: "embeddings.create", node: "embeddings.create", known: "model input dimensions user" },
  "/detect": {},
};

const KEY = "YOUR_API_KEY";

function hasText(value) {
  return value instanceof FileText
    || (value !== null && typeof value === "object" && Object.values(value).some(hasText));
}

// Arguments of a Python call; parameters unknown to the SDK go into `extra_body`.
function pythonArguments({ path, body, files }) {
  const known = new Set(CALLS[path].known.split(" "));
  const direct = Object.entries(body).filter(([name]) => known.has(name));
  const extra = Object.fromEntries(Object.entries(body).filter(([name]) => !known.has(name)));
  const lines = direct.map(([name, value]) => `${name}=${literal(value, "python", 1)}`);
  lines.push(...Object.entries(files).map(([name, file]) => `${name}=open("${file}", "rb")`));
  if (Object.keys(extra).length) lines.push(`extra_body=${literal(extra, "python", 1)}`);
  return lines.map((line) => `    ${line},\n`).join("");
}

function imageFile({ output_format: type = "png" }, name) {
  return `${name}.${type}`;
}

// Code that saves images: all images of a response, or a stream's previews and finished image.
function pythonImages(body) {
  if (!body.stream) {
    return `for number, image in enumerate(answer.data, 1):\n    Path(f"${imageFile(body, "image-{number}")}").write_bytes(base64.b64decode(image.b64_json))`;
  }
  const preview = imageFile(body, "preview-{event.partial_image_index}");
  return [
    "for event in answer:",
    '    partial = event.type.endswith(".partial_image")',
    `    name = f"${preview}" if partial else "${imageFile(body, "image")}"`,
    "    Path(name).write_bytes(base64.b64decode(event.b64_json))",
  ].join("\n");
}

function nodeImages(body) {
  if (!body.stream) {
    return `for (const [number, image] of answer.data.entries()) {\n  await writeFile(\`${imageFile(body, "image-${number + 1}")}\`, image.b64_json, "base64");\n}`;
  }
  const preview = imageFile(body, "preview-${event.partial_image_index}");
  return [
    "for await (const event of answer) {",
    '  const partial = event.type.endsWith(".partial_image");',
    `  const name = partial ? \`${preview}\` : "${imageFile(body, "image")}";`,
    '  await writeFile(name, event.b64_json, "base64");',
    "}",
  ].join("\n");
}

function isImage(path) {
  return path.startsWith("/images/");
}

const PYTHON_ENDS = {
  "/chat/completions": (body) => (body.stream
    ? 'for chunk in answer:\n    if chunk.choices and chunk.choices[0].delta.content:\n        print(chunk.choices[0].delta.content, end="", flush=True)\nprint()'
    : body.tools ? "print(answer.choices[0].message)" : "print(answer.choices[0].message.content)"),
  "/images/generations": pythonImages,
  "/images/edits": pythonImages,
  "/audio/speech": (body) => `answer.write_to_file("speech.${body.response_format ?? "mp3"}")`,
  "/audio/transcriptions": (body) => (["text", "srt", "vtt"].includes(body.response_format) ? "print(answer)" : "print(answer.text)"),
  "/embeddings": () => "for item in answer.data:\n    print(item.index, len(item.embedding))",
};

function python(what) {
  const { path, body, base } = what;
  const client = `client = OpenAI(base_url="${base}", api_key="${KEY}")\n`;
  if (path === "/detect") {
    const text = { ...body, image: new FileText("photo.jpg", "image/jpeg") };
    return `import base64\n\nfrom openai import OpenAI\n\n${client}found = client.post(\n    "/detect",\n    cast_to=object,\n    body=${literal(text, "python", 1)},\n)\nfor thing in found["detections"]:\n    print(thing["label"], thing["confidence"], thing["bbox"])`;
  }
  const head = isImage(path) ? "import base64\nfrom pathlib import Path\n\n" : hasText(body) ? "import base64\n\n" : "";
  return `${head}from openai import OpenAI\n\n${client}answer = client.${CALLS[path].python}(\n${pythonArguments(what)})\n${PYTHON_ENDS[path](body)}`;
}

const NODE_ENDS = {
  "/chat/completions": (body) => (body.stream
    ? 'for await (const chunk of answer) {\n  process.stdout.write(chunk.choices[0]?.delta.content ?? "");\n}\nconsole.log();'
    : body.tools ? "console.log(answer.choices[0].message);" : "console.log(answer.choices[0].message.content);"),
  "/images/generations": nodeImages,
  "/images/edits": nodeImages,
  "/audio/speech": (body) => `await writeFile("speech.${body.response_format ?? "mp3"}", Buffer.from(await answer.arrayBuffer()));`,
  "/audio/transcriptions": (body) => (["text", "srt", "vtt"].includes(body.response_format) ? "console.log(answer);" : "console.log(answer.text);"),
  "/embeddings": () => "for (const item of answer.data) console.log(item.index, item.embedding.length);",
};

function node(what) {
  const { path, files, base } = what;
  const body = path === "/detect" ? { ...what.body, image: new FileText("photo.jpg", "image/jpeg") } : what.body;
  const entries = Object.entries(body).map(([name, value]) => `  ${name}: ${literal(value, "node", 1)},\n`);
  if (path !== "/detect") entries.push(...Object.entries(files).map(([name, file]) => `  ${name}: createReadStream("${file}"),\n`));
  const imports = [
    Object.keys(files).length && path !== "/detect" ? 'import { createReadStream } from "node:fs";\n' : "",
    hasText(body) ? 'import { readFile } from "node:fs/promises";\n' : "",
    path === "/audio/speech" || isImage(path) ? 'import { writeFile } from "node:fs/promises";\n' : "",
  ].join("");
  const client = `const client = new OpenAI({ baseURL: "${base}", apiKey: "${KEY}" });\n`;
  const options = `{\n${entries.join("")}}`;
  if (path === "/detect") {
    return `${imports}import OpenAI from "openai";\n\n${client}const found = await client.post("/detect", { body: ${options} });\nfor (const thing of found.detections) {\n  console.log(thing.label, thing.confidence, thing.bbox);\n}`;
  }
  return `${imports}import OpenAI from "openai";\n\n${client}const answer = await client.${CALLS[path].node}(${options});\n${NODE_ENDS[path](what.body)}`;
}

function curl({ path, body, files, base }) {
  const head = `curl ${body.stream ? "-N " : ""}${base}${path} \\\n  -H "Authorization: Bearer ${KEY}" \\\n`;
  const output = path === "/audio/speech" ? ` \\\n  --fail-with-body -o speech.${body.response_format ?? "mp3"}` : "";
  if (!Object.keys(files).length) {
    return `${head}  -H "Content-Type: application/json" \\\n  -d ${shellBody(body)}${output}`;
  }
  const fields = Object.entries(body).map(([name, value]) => `-F ${quoted(`${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)}`);
  fields.push(...Object.entries(files).map(([name, file]) => `-F ${name}=@${file}`));
  return head + fields.map((field) => `  ${field}`).join(" \\\n");
}

// `what`: path, body, files (field name: file name) and base (the API's URL, with /v1).
export function programs(what) {
  const all = { files: {}, ...what };
  return { python: python(all), node: node(all), curl: curl(all) };
}
