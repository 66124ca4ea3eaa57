// What every view shares: requests, the state of the work in the background, messages, and the list of keys.

const live = document.getElementById("live");
const alertBox = document.getElementById("alert");

/** Tell a screen reader something, without moving the focus. */
export function announce(sentence) {
  live.textContent = live.textContent === sentence ? `${sentence}\u00a0` : sentence;
}

/** Show a problem until it is closed or solved; `action` is [label, function]. */
export function showProblem(sentence, action) {
  alertBox.replaceChildren(document.createTextNode(sentence));
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action[0];
    button.addEventListener("click", action[1]);
    alertBox.append(button);
  }
  alertBox.hidden = false;
}

export function hideProblem() {
  const hadFocus = alertBox.contains(document.activeElement);
  alertBox.hidden = true;
  if (hadFocus) (outside && outside.isConnected ? outside : document.getElementById("main")).focus();
}

let outside = null; // what had the focus last, besides the message
document.addEventListener("focusin", (event) => {
  if (!alertBox.contains(event.target)) outside = event.target;
});

export class RequestError extends Error {
  constructor(message, status, kind) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/** Ask the server; throws a RequestError with the sentence to show. Status 0: the server did not answer. */
export async function ask(path, values, options = {}) {
  let response;
  try {
    const init = values === undefined ? {} : { method: "POST", body: JSON.stringify(values), headers: { "content-type": "application/json" } };
    response = await fetch(path, { ...init, ...options });
  } catch {
    throw new RequestError("The server does not answer. Start the command again; what you typed is kept in this browser.", 0, "offline");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestError(content.problem || `The server refused the request (${response.status}).`, response.status, content.kind || "");
  return content;
}

/** Ask for the status again and again; `listener` gets it. A hidden window asks rarely. */
export function watchStatus(listener, query = "") {
  let version = 0;
  let failures = 0;
  async function step() {
    try {
      const status = await ask(`/api/status?since=${version}${query}`);
      if (status.version < version) version = 0; // the server was started anew
      else version = status.version;
      showActivity(status);
      if (failures) hideProblem();
      failures = 0;
      await listener(status);
    } catch (error) {
      failures += 1;
      if (failures === 2) showProblem(error.message);
    }
    setTimeout(step, document.hidden ? 8000 : failures ? 4000 : 1200);
  }
  step();
}

function showActivity(status) {
  const box = document.getElementById("activity");
  const learning = status.learning && status.learning.is_running ? `learning, ${status.learning.left || "starting"}` : "";
  const reading = status.activity ? `${status.activity}${status.left > 1 ? `, ${status.left} pages left` : ""}` : "";
  const text = [learning, reading].filter(Boolean).join("; ");
  box.hidden = !text;
  document.getElementById("activity-text").textContent = text;
  const problem = status.problem || status.layout_problem;
  if (problem) showProblem(problem);
}

const help = document.getElementById("help");
let before = null;

export function toggleHelp() {
  if (help.open) {
    help.close();
  } else {
    before = document.activeElement;
    help.showModal();
  }
}

help.addEventListener("close", () => before && before.focus());
document.getElementById("help-button").addEventListener("click", toggleHelp);
document.addEventListener("keydown", (event) => {
  if (event.key === "F1") {
    event.preventDefault();
    toggleHelp();
  }
});
