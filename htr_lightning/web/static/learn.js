// Learning: progress, the choice to take or leave the model, and all models of the project.

import { announce, ask, hideProblem, showProblem, watchStatus } from "./common.js";

const at = (id) => document.getElementById(id);
let last = "";

const percent = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
const interval = (pair) => (pair ? `${(100 * pair[0]).toFixed(1)} to ${(100 * pair[1]).toFixed(1)} %` : "–");

function describe(learning) {
  const sentences = {
    preparing: "The confirmed lines are being prepared …",
    learning: learning.left ? `Learning, ${learning.left} …` : "The training is starting …",
    measuring: "Both models read the lines held out …",
    stopped: "Stopped. Nothing has changed.",
    failed: `Failed: ${learning.problem}`,
    finished: `A new model has learned from ${learning.scores.num_lines} lines. On ${learning.scores.num_held_out} confirmed lines that it did not learn from:`,
  };
  if (learning.phase in sentences) return sentences[learning.phase];
  const missing = learning.needed - learning.confirmed;
  if (missing > 0) return `${learning.confirmed} lines are confirmed; ${missing} more, and a model can learn from them.`;
  return `${learning.confirmed} lines are confirmed. A fifth of them is held out to measure the new model; it learns from the others.`;
}

function judge({ gain_interval: gain }) {
  if (!gain) return "Too few lines were held out to compare the models.";
  if (gain[0] > 0) return "The new model reads better, beyond chance.";
  if (gain[1] < 0) return "The new model reads worse, beyond chance: leave it.";
  return "The difference may be chance: more confirmed lines would tell.";
}

function addRow(body, cells) {
  const row = document.createElement("tr");
  for (const [index, cell] of cells.entries()) {
    const made = document.createElement(index ? "td" : "th");
    if (!index) made.scope = "row";
    made.append(cell);
    row.append(made);
  }
  body.append(row);
}

function show(learning) {
  const state = JSON.stringify(learning);
  if (state === last) return;
  last = state;
  const focused = document.activeElement ? document.activeElement.id : "";
  const sentence = describe(learning);
  if (at("state").textContent !== sentence) at("state").textContent = sentence;
  at("bar").hidden = !learning.is_running;
  if (learning.phase === "learning") at("bar").value = learning.fraction;
  else at("bar").removeAttribute("value");
  const isOffered = Boolean(learning.offered);
  at("offer").hidden = !isOffered;
  at("start").hidden = learning.is_running || isOffered;
  at("start").disabled = learning.confirmed < learning.needed;
  at("stop").hidden = !learning.is_running;
  at("take").hidden = at("leave").hidden = !isOffered;
  if (isOffered) showOffer(learning.scores);
  at("rate").textContent = learning.rate;
  showModels(learning);
  if (focused && at(focused) && at(focused).hidden) {
    const next = ["take", "stop", "start"].map(at).find((button) => !button.hidden && !button.disabled);
    if (next) next.focus();
    else at("main").focus();
  }
}

function showOffer(scores) {
  at("scores").replaceChildren();
  addRow(at("scores"), ["before", percent(scores.before), interval(scores.before_interval)]);
  addRow(at("scores"), ["after", percent(scores.after), interval(scores.after_interval)]);
  at("verdict").textContent = judge(scores);
}

function showModels({ models, present }) {
  at("models").replaceChildren();
  for (const model of models) {
    let use = document.createTextNode("in use");
    if (model.name !== present) {
      use = document.createElement("button");
      use.type = "button";
      use.id = `use-${model.name}`;
      use.textContent = "Use this one";
      use.setAttribute("aria-label", `Use model ${model.name}`);
      use.addEventListener("click", () => send("choose", { model: model.name }, `Model ${model.name} is used now.`));
    }
    const isLearned = Boolean(model.created);
    addRow(at("models"), [model.name, isLearned ? String(model.num_lines) : "–", percent(model.before), percent(model.after), isLearned ? String(model.num_held_out) : "–", use]);
  }
}

async function send(name, values, sentence) {
  hideProblem();
  try {
    show(await ask(`/api/learning/${name}`, values));
    announce(sentence);
  } catch (error) {
    showProblem(error.message);
  }
}

const offered = () => JSON.parse(last).offered;
at("start").addEventListener("click", () => send("start", {}, "The learning has started."));
at("stop").addEventListener("click", () => send("stop", {}, "The learning is being stopped."));
at("take").addEventListener("click", () => send("decide", { model: offered(), take: true }, "The new model is used now; lines that nobody has corrected are read again."));
at("leave").addEventListener("click", () => send("decide", { model: offered(), take: false }, "The model in use stays."));
watchStatus(async () => show(await ask("/api/learning")));
