// One line: its picture, its field with marks under doubtful words, and what can be undone in it.

const MARKS = { "": "·", read: "○", corrected: "✎", confirmed: "✓" };
const NAMES = { "": "not read yet", read: "read by the model", corrected: "corrected", confirmed: "confirmed" };
const PAUSE_MS = 700; // of typing, after which undo takes a new step

function make(name, className, parent) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (parent) parent.append(made);
  return made;
}

export class Row {
  /**
   * @param line as the server describes it
   * @param owner is told what happens: focused(row), changed(row), keepMine(row), takeTheirs(row)
   */
  constructor(line, owner) {
    this.owner = owner;
    this.undone = [];
    this.steps = [];
    this.lastInput = 0;
    this.conflict = null;
    this.item = make("li", "line");
    const side = make("div", "side", this.item);
    this.number = make("span", "", side);
    this.mark = make("span", "mark", side);
    this.mark.setAttribute("aria-hidden", "true");
    const body = make("div", "body", this.item);
    this.strip = make("div", "strip", body);
    this.image = make("img", "", this.strip);
    this.image.loading = "lazy";
    this.image.decoding = "async";
    this.image.alt = "";
    const field = make("div", "field", body);
    this.under = make("div", "under", field);
    this.under.setAttribute("aria-hidden", "true");
    this.field = make("textarea", "", field);
    for (const [name, value] of Object.entries({ rows: 1, spellcheck: "false", autocorrect: "off", autocapitalize: "off", autocomplete: "off" })) {
      this.field.setAttribute(name, value);
    }
    this.note = make("p", "note", this.item);
    this.note.id = `note-${line.page}-${line.id}`;
    this.field.setAttribute("aria-describedby", this.note.id);
    this.listen();
    this.set(line);
    this.value = line.text;
  }

  get value() {
    return this.field.value.replace(/\s*\n\s*/g, " ");
  }

  set value(text) {
    if (this.field.value !== text) this.field.value = text;
    this.paint();
  }

  get isChanged() {
    return this.value !== this.line.text;
  }

  listen() {
    this.field.addEventListener("focus", () => this.owner.focused(this));
    this.field.addEventListener("beforeinput", (event) => {
      if (event.inputType === "insertLineBreak") return event.preventDefault();
      if (event.inputType.startsWith("history")) {
        event.preventDefault();
        return event.inputType === "historyUndo" ? this.owner.undo(this) : this.redo();
      }
      this.keepStep();
    });
    this.field.addEventListener("input", () => {
      this.paint();
      this.owner.changed(this);
    });
  }

  /** Keep the present text for undo, unless the person is in the middle of typing. */
  keepStep(isForced = false) {
    const now = performance.now();
    const last = this.steps[this.steps.length - 1];
    if (isForced || now - this.lastInput > PAUSE_MS || !this.steps.length) {
      if (!last || last.text !== this.value) this.steps.push({ text: this.value, at: this.field.selectionStart });
    }
    this.lastInput = isForced ? -Infinity : now; // what follows is a step of its own
    this.undone = [];
  }

  /** Show the text as it was saved; from now on, undo gives the line its earlier texts back. */
  settle(text) {
    this.value = text; // cleaned
    this.steps = [];
    this.undone = [];
  }

  /** Undo what was typed; return false if there is nothing. */
  undoTyping() {
    let step = this.steps.pop();
    while (step && step.text === this.value) step = this.steps.pop();
    if (!step) return false;
    this.undone.push({ text: this.value, at: this.field.selectionStart });
    this.show(step);
    return true;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return;
    this.steps.push({ text: this.value, at: this.field.selectionStart });
    this.show(step);
  }

  show({ text, at }) {
    this.value = text;
    this.field.setSelectionRange(at, at);
    this.owner.changed(this);
  }

  insert(text) {
    this.keepStep(true);
    this.field.setRangeText(text, this.field.selectionStart, this.field.selectionEnd, "end");
    this.paint();
    this.owner.changed(this);
  }

  /** Replace part of the text. */
  replace(start, end, text) {
    this.keepStep(true);
    this.field.setRangeText(text, start, end, "end");
    this.paint();
    this.owner.changed(this);
  }

  /** Take what the server says of the line; what the person is typing stays. */
  set(line) {
    const wasChanged = this.line && this.isChanged;
    const isOtherPicture = !this.line || this.line.picture_id !== line.picture_id;
    this.line = line;
    if (isOtherPicture) this.setPicture(line);
    this.item.dataset.state = line.state;
    this.item.dataset.id = line.id;
    this.number.textContent = line.number;
    this.mark.textContent = MARKS[line.state];
    this.mark.title = NAMES[line.state];
    this.field.dir = line.dir;
    if (!wasChanged) this.value = line.text;
    else this.paint();
    this.showNote();
  }

  setPicture(line) {
    const [left, top, right, bottom] = line.picture;
    const [width, height] = line.turned % 2 ? [bottom - top, right - left] : [right - left, bottom - top];
    this.image.src = `/picture/${line.page}/${encodeURIComponent(line.id)}.jpg?v=${line.picture_id}`;
    this.strip.style.aspectRatio = `${width} / ${height}`;
    this.width = width;
    this.isColumn = height > width && line.turned % 2 === 0 && line.vertical;
    this.item.classList.toggle("column", this.isColumn);
    for (const old of this.strip.querySelectorAll("i")) old.remove();
  }

  /** Scale the picture like those of the other lines of the page, the widest of which fills the column. */
  scaleTo(widest) {
    this.strip.style.width = this.isColumn ? "" : `${Math.max(12, (100 * this.width) / widest)}%`;
  }

  label(count, page) {
    this.field.setAttribute("aria-label", `line ${this.line.number} of ${count}, page ${page}`);
  }

  /** Return the doubtful words that still stand in the text, with their places. */
  findDoubts() {
    if (this.line.state === "confirmed" && !this.isChanged) return [];
    const text = this.value;
    const found = [];
    let from = 0;
    for (const word of this.line.words) {
      const isSame = text.substr(word.start, word.text.length) === word.text;
      const start = isSame ? word.start : text.indexOf(word.text, from);
      if (start < 0 || start < from) continue;
      found.push({ ...word, start, end: start + word.text.length });
      from = start + word.text.length;
    }
    return found;
  }

  paint() {
    const text = this.value;
    const doubts = this.findDoubts();
    const unknown = new Set(this.isChanged ? [] : this.line.unknown);
    this.under.replaceChildren();
    let from = 0;
    for (const word of doubts) {
      this.addPlain(text.slice(from, word.start), unknown);
      make("mark", "", this.under).textContent = word.text;
      from = word.end;
    }
    this.addPlain(text.slice(from), unknown);
    this.under.append("\u200b");
    this.paintStrip(doubts);
  }

  addPlain(text, unknown) {
    if (!unknown.size) return this.under.append(text);
    for (const character of text) {
      if (unknown.has(character)) make("mark", "unknown", this.under).textContent = character;
      else this.under.append(character);
    }
  }

  paintStrip(doubts) {
    for (const old of this.strip.querySelectorAll("i")) old.remove();
    for (const { box } of doubts) {
      const mark = make("i", "", this.strip);
      const [x0, y0, x1, y1] = this.toPicture(box);
      if (this.isColumn) {
        Object.assign(mark.style, { left: `calc(${Math.min(94, 100 * x1)}% + 4px)`, width: "3px", top: `${100 * y0}%`, height: `${100 * (y1 - y0)}%` });
      } else {
        Object.assign(mark.style, { left: `${100 * x0}%`, width: `${100 * (x1 - x0)}%`, top: `calc(${Math.min(96, 100 * y1)}% + 2px)` });
      }
    }
  }

  /** Return left, top, right and bottom of a box of the page within the picture, which may be turned; 0 to 1. */
  toPicture(box) {
    const [left, top, right, bottom] = this.line.picture;
    const [x0, x1] = [box[0], box[2]].map((x) => (x - left) / (right - left));
    const [y0, y1] = [box[1], box[3]].map((y) => (y - top) / (bottom - top));
    return [[x0, y0, x1, y1], [y0, 1 - x1, y1, 1 - x0], [1 - x1, 1 - y1, 1 - x0, 1 - y0], [1 - y1, x0, 1 - y0, x1]][this.line.turned];
  }

  /** Say what is to be said of the line: its state to screen readers, problems to everyone. */
  showNote() {
    const { line, note } = this;
    note.replaceChildren();
    note.classList.toggle("warn", Boolean(this.conflict || line.problem || line.unknown));
    const state = make("span", "sr-only", note);
    state.textContent = `${NAMES[line.state]}${line.words.length && line.state !== "confirmed" ? ", with doubtful words" : ""}`;
    if (line.problem) make("span", "", note).textContent = line.problem;
    if (line.unknown) {
      make("span", "", note).textContent = `The model has no ${[...line.unknown].map((c) => `“${c}”`).join(", ")} yet; it learns it from confirmed lines (Learn).`;
    }
    if (this.conflict) {
      make("span", "", note).textContent = `Changed in another window to “${this.conflict.text}”.`;
      this.addButton("Keep mine", () => this.owner.keepMine(this));
      this.addButton("Take theirs", () => this.owner.takeTheirs(this));
    }
  }

  addButton(label, action) {
    const button = make("button", "", this.note);
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", action);
  }
}
