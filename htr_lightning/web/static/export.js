// Exports, which are plain links, and the alignment of a text file.

import { ask, hideProblem, showProblem, watchStatus } from "./common.js";

const placed = document.getElementById("placed");

function add(name, text, parent = placed) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

function show({ pages, missing }) {
  placed.replaceChildren();
  for (const page of pages) {
    add("h3", page.name);
    add("p", `${page.placed} lines have got a text.`);
    const list = add("ul", "");
    for (const [number, text, confidence] of page.uncertain) add("li", `Line ${number} is uncertain (${Math.round(100 * confidence)} %): ${text}`, list);
    for (const text of page.unplaced) add("li", `On no line: ${text}`, list);
    const link = add("a", "Look at the page");
    link.href = `/page/${page.page}`;
  }
  if (missing.length) add("p", `There is no page for: ${missing.join(", ")}.`);
}

document.getElementById("align").addEventListener("submit", async (event) => {
  event.preventDefault();
  hideProblem();
  const file = document.getElementById("file").files[0];
  if (!file) return showProblem("Choose a text file first.");
  placed.textContent = "The text is being laid along the lines …";
  try {
    show(await ask("/api/align", { name: file.name, text: await file.text() }));
  } catch (error) {
    placed.textContent = "";
    showProblem(error.message);
  }
});
watchStatus(() => {});
