// Find and replace in all lines.

import { ask, hideProblem, showProblem, watchStatus } from "./common.js";

const field = document.getElementById("text");
const replacement = document.getElementById("replacement");
const button = document.getElementById("replace");
const results = document.getElementById("results");
const summary = document.getElementById("summary");
let shown = null;

const query = () => ({
  text: field.value,
  words: document.getElementById("words").checked,
  ignore_case: document.getElementById("ignore-case").checked,
});

function make(name, className, parent, text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  parent.append(made);
  return made;
}

function addResult(line) {
  const item = make("li", "", results);
  const label = make("label", "found", item);
  const box = make("input", "", label);
  box.type = "checkbox";
  box.checked = true;
  label.append(" ");
  let from = 0;
  for (const [start, end] of line.spans) {
    label.append(line.text.slice(from, start));
    make("mark", "", label, line.text.slice(start, end));
    from = end;
  }
  label.append(line.text.slice(from));
  const place = make("a", "place", item, `line ${line.number}, ${line.name}`);
  place.href = `/page/${line.page}#${encodeURIComponent(line.line)}`;
  return { box, line };
}

async function find() {
  hideProblem();
  try {
    const found = await ask("/api/find", query());
    results.replaceChildren();
    shown = { query: query(), items: found.lines.map(addResult) };
    const more = found.total > found.lines.length ? `; the first ${found.lines.length} are shown` : "";
    summary.textContent = found.total ? `${found.places} places in ${found.total} lines${more}.` : "Found nowhere.";
    button.disabled = !found.total;
  } catch (error) {
    showProblem(error.message);
  }
}

async function replace() {
  const lines = shown.items.filter(({ box }) => box.checked).map(({ line }) => [line.page, line.line]);
  try {
    const { changed } = await ask("/api/replace", { ...shown.query, replacement: replacement.value, lines });
    results.replaceChildren();
    button.disabled = true;
    summary.textContent = `${changed.length} lines changed. `;
    const undo = make("button", "", summary, "Undo");
    undo.type = "button";
    undo.focus();
    undo.addEventListener("click", async () => {
      try {
        const { undone } = await ask("/api/undo-all", { lines: changed });
        summary.textContent = `${undone} lines are as before.`;
        field.focus();
      } catch (error) {
        showProblem(error.message);
      }
    });
  } catch (error) {
    showProblem(error.message);
  }
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  find();
});
button.addEventListener("click", replace);
const given = new URLSearchParams(location.search);
field.value = given.get("text") || "";
document.getElementById("words").checked = given.has("words");
field.focus();
if (field.value) find();
watchStatus(() => {});
