// JSON values as Python and JavaScript literals.

// Placeholder for a file's content as a data URI in a program.
export class FileText {
  constructor(file, type) { this.file = file; this.type = type; }
}

const LONG = 64;
const ATOMS = { python: { true: "True", false: "False", null: "None" }, node: {} };
const NAME = /^[A-Za-z_]\w*$/;

const FILES = {
  python: ({ file, type }) => `"data:${type};base64," + base64.b64encode(open("${file}", "rb").read()).decode()`,
  node: ({ file, type }) => `"data:${type};base64," + (await readFile("${file}", "base64"))`,
};

function members(value, language, indent) {
  if (Array.isArray(value)) return value.map((item) => literal(item, language, indent + 1));
  const key = (name) => (language === "node" && NAME.test(name) ? name : JSON.stringify(name));
  return Object.entries(value).map(([name, item]) => `${key(name)}: ${literal(item, language, indent + 1)}`);
}

export function literal(value, language, indent = 0) {
  if (value instanceof FileText) return FILES[language](value);
  if (value === null || typeof value !== "object") {
    const text = JSON.stringify(value);
    return ATOMS[language][text] ?? text;
  }
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const parts = members(value, language, indent);
  const flat = parts.join(", ");
  const padding = language === "node" && open === "{" && flat ? " " : "";
  if (flat.length <= LONG && !flat.includes("\n")) return open + padding + flat + padding + close;
  const step = language === "python" ? "    " : "  ";
  const inner = step.repeat(indent + 1);
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join("")}${step.repeat(indent)}${close}`;
}

// Quote a shell argument.
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// Body of a curl request; files are read by the shell.
export function shellBody(value) {
  const files = [];
  const marked = JSON.stringify(value, (_, item) => {
    if (!(item instanceof FileText)) return item;
    files.push(item);
    return `\u0000${files.length - 1}\u0000`;
  }, 2);
  return quoted(marked).replace(/\\u0000(\d+)\\u0000/g, (_, n) => {
    const { file, type } = files[n];
    return `data:${type};base64,'"$(base64 -w0 ${file})"'`;
  });
}
