// The desk: the lines of a page, or the most useful lines of all pages, beside the picture of their page.

import { announce, ask, hideProblem, showProblem, watchStatus } from "./common.js";
import { Choices } from "./choices.js";
import { Layout } from "./layout.js";
import { Palette } from "./palette.js";
import { Picture } from "./picture.js";
import { Row } from "./row.js";

const desk = document.getElementById("desk");
const list = document.getElementById("lines");
const notice = document.getElementById("page-notice");
const keys = desk.dataset.keys ? desk.dataset.keys.split(" ") : [];
const isUseful = document.body.classList.contains("view-useful");
const drafts = `htr ${document.body.dataset.folder} `;
const DOUBTFUL = 0.06; // mean doubt of the characters of a line from which on it is doubtful, besides one with marked words

class Desk {
  constructor() {
    this.rows = [];
    this.pages = new Map();
    this.page = null;
    this.current = null;
    this.language = "";
    this.edits = 0; // of layouts: a page that was asked for before one must not take its place
    this.failed = new Map();
    this.picture = new Picture((id) => this.choose(id));
    this.palette = new Palette(this);
    this.choices = new Choices();
    this.layout = new Layout(this);
    list.addEventListener("keydown", (event) => this.onFieldKey(event));
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) this.run(button.dataset.do);
    });
    addEventListener("pagehide", () => this.saveAll(true));
    addEventListener("popstate", () => this.open(location.pathname.split("/").pop(), { isHistory: true }));
    this.setScale(Number(localStorage.getItem("htr scale")) || 1);
  }

  async start() {
    if (isUseful) await this.loadUseful();
    else await this.open(desk.dataset.key, { isHistory: true });
    watchStatus((status) => this.onStatus(status));
  }

  // Pages

  async fetchPage(key) {
    const page = await ask(`/api/page/${key}`);
    this.pages.set(key, page);
    return page;
  }

  async open(key, { isHistory = false, line = location.hash.slice(1) } = {}) {
    this.saveAll();
    try {
      const page = this.prefetched && this.prefetched.key === key ? await this.prefetched.promise : await this.fetchPage(key);
      this.prefetched = null;
      if (!isHistory) history.pushState(null, "", `/page/${key}`);
      this.showPage(page);
      this.build(page.lines);
      const first = this.rows.find((row) => row.line.id === decodeURIComponent(line)) || this.rows.find((row) => row.line.state !== "confirmed") || this.rows[0];
      if (first) this.focus(first);
      document.title = document.title.replace(/^.*? · /, `${page.name} · `);
      ask(`/api/page/${key}`).catch(() => {}); // this page is read first, whichever was prefetched
    } catch (error) {
      showProblem(error.message);
    }
  }

  async loadUseful() {
    try {
      const batch = await ask("/api/useful");
      this.sampled = batch;
      this.build(batch.lines);
      document.getElementById("foot").textContent = batch.explanation;
      if (!this.rows.length) notice.textContent = "Every line that was read is confirmed, or no line was read yet.";
      notice.hidden = Boolean(this.rows.length);
      if (this.rows.length) this.focus(this.rows[0]);
    } catch (error) {
      showProblem(error.message);
    }
  }

  showPage(page) {
    this.page = page;
    this.picture.show(page);
    if (!isUseful) document.getElementById("page-name").textContent = page.name;
    this.layout.update(page);
    this.showNotice(page);
    this.showCount();
  }

  showNotice(page) {
    const problem = page.problem || page.notes.join(" ");
    notice.hidden = !problem && (page.is_found || isUseful);
    notice.replaceChildren(document.createTextNode(page.is_found || page.problem ? problem : "The lines of this page are being found …"));
    if (page.problem || (page.has_layout && page.is_found && !page.lines.length)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Find its lines in the image";
      button.addEventListener("click", () => ask("/api/find-lines", { page: page.key }).catch((error) => showProblem(error.message)));
      notice.append(button);
    }
  }

  showCount() {
    const done = this.rows.filter((row) => row.line.state === "confirmed").length;
    const place = keys.indexOf(this.page ? this.page.key : "");
    const name = isUseful && this.page ? `${this.page.name}; ` : "";
    const where = isUseful || place < 0 ? name : `page ${place + 1} of ${keys.length}, `;
    document.getElementById("page-count").textContent = `${where}${done} of ${this.rows.length} confirmed`;
  }

  build(lines) {
    const kept = new Map(this.rows.map((row) => [`${row.line.page} ${row.line.id}`, row]));
    const focused = this.current && document.activeElement === this.current.field ? this.current : null;
    this.rows = lines.map((line) => {
      const old = kept.get(`${line.page} ${line.id}`);
      if (old) old.set(line);
      return old || new Row(line, this);
    });
    list.replaceChildren(...this.rows.map((row) => row.item));
    const widest = Math.max(1, ...this.rows.map((row) => row.width));
    for (const row of this.rows) {
      row.scaleTo(widest);
      this.describe(row);
      this.restoreDraft(row);
    }
    if (focused && this.rows.includes(focused)) focused.field.focus({ preventScroll: true });
    else if (this.current && !this.rows.includes(this.current)) this.current = null;
    this.showCount();
  }

  describe(row) {
    const page = this.pages.get(row.line.page);
    row.label(row.line.count || (page ? page.lines.length : this.rows.length), row.line.page_name || (page ? page.name : ""));
    row.field.lang = this.language;
  }

  // Moving

  focus(row) {
    row.field.focus({ preventScroll: true });
    if (document.activeElement !== row.field) return;
    row.field.setSelectionRange(0, 0);
    row.item.scrollIntoView({ block: "nearest" });
  }

  choose(id) {
    const row = this.rows.find((one) => one.line.id === id && (!this.page || one.line.page === this.page.key));
    if (row) this.focus(row);
  }

  async focused(row) {
    if (this.current !== row) {
      if (this.current) {
        this.current.item.classList.remove("active");
        this.save(this.current);
      }
      this.choices.close();
      this.current = row;
      row.item.classList.add("active");
    }
    if (!this.page || this.page.key !== row.line.page) {
      const page = this.pages.get(row.line.page) || (await this.fetchPage(row.line.page));
      if (this.current !== row) return;
      this.showPage(page);
    }
    this.picture.follow(row.line.id);
    if (!isUseful && this.rows.indexOf(row) >= this.rows.length - 3) this.prefetch();
  }

  /** Load the next page before it is asked for. */
  prefetch() {
    const key = keys[keys.indexOf(this.page.key) + 1];
    if (!key || (this.prefetched && this.prefetched.key === key)) return;
    const promise = this.fetchPage(key);
    this.prefetched = { key, promise };
    promise.then(() => (new Image().src = `/picture/${key}.jpg`), () => (this.prefetched = null));
  }

  step(steps) {
    const next = this.rows[this.rows.indexOf(this.current) + steps];
    if (next) this.focus(next);
    return Boolean(next);
  }

  turnPage(steps) {
    if (isUseful) return this.loadUseful();
    const key = keys[keys.indexOf(this.page.key) + steps];
    if (key) this.open(key, { line: "" });
    else announce(steps > 0 ? "This is the last page." : "This is the first page.");
  }

  async confirmAndGoOn() {
    const row = this.current;
    const isLast = this.rows.indexOf(row) === this.rows.length - 1;
    const saved = this.save(row, "confirmed");
    if (!isLast) return this.step(1);
    await saved;
    if (isUseful) return this.loadUseful();
    announce("The page is done.");
    this.turnPage(1);
  }

  nextDoubtful() {
    const from = this.rows.indexOf(this.current);
    const later = [...this.rows.slice(from + 1), ...this.rows.slice(0, from)];
    const next = later.find((row) => row.line.state !== "confirmed" && (row.line.words.length || row.line.doubt > DOUBTFUL));
    if (next) this.focus(next);
    else announce("No doubtful line is left on this page.");
  }

  // Saving

  changed(row) {
    this.choices.close();
    if (this.failed.has(row)) this.failed.set(row, "corrected"); // typed on since
    if (row.isChanged) localStorage.setItem(this.draftKey(row), JSON.stringify({ text: row.value, revision: row.line.revision }));
    else localStorage.removeItem(this.draftKey(row));
  }

  draftKey(row) {
    return `${drafts}${row.line.page} ${row.line.id}`;
  }

  /** Show what was typed before the window was closed, or while the server did not answer. */
  restoreDraft(row) {
    const kept = localStorage.getItem(this.draftKey(row));
    if (kept === null || row.isChanged) return;
    const { text, revision } = JSON.parse(kept);
    if (revision < row.line.revision || text === row.line.text) return localStorage.removeItem(this.draftKey(row));
    row.value = text;
  }

  saveAll(isLeaving = false) {
    for (const row of this.rows) if (row.isChanged && !row.conflict) this.save(row, "corrected", isLeaving);
  }

  /** Save a line; "corrected" only if it was changed. The next line does not wait for it. */
  async save(row, wanted = "corrected", isLeaving = false) {
    if (row.conflict || ((this.failed.get(row) || wanted) === "corrected" && !row.isChanged)) return;
    const text = row.value;
    const key = this.draftKey(row);
    row.sending = (row.sending || Promise.resolve()).then(async () => {
      // What could not be confirmed is confirmed when it is sent again; whether it could, is known only now.
      const state = this.failed.get(row) || wanted;
      const kept = state === "corrected" && row.line.state === "confirmed" && text === row.line.text ? "confirmed" : state;
      try {
        const line = await ask("/api/line", { page: row.line.page, line: row.line.id, text, state: kept, revision: row.line.revision, sampled: isUseful }, isLeaving ? { keepalive: true } : {});
        localStorage.removeItem(key);
        const isSame = row.value === text; // not typed on meanwhile
        row.line = { ...row.line, text: line.text };
        row.set({ ...row.line, ...line, number: row.line.number });
        if (isSame) row.settle(line.text);
        if (this.failed.delete(row) && !this.failed.size) hideProblem();
        announce(`Line ${row.line.number} ${state === "confirmed" ? "confirmed" : "saved"}.`);
        this.remember(row);
      } catch (error) {
        this.onSaveError(row, state, error, text);
      }
      this.showCount();
    });
    return row.sending;
  }

  remember(row) {
    const page = this.pages.get(row.line.page);
    const index = page ? page.lines.findIndex((line) => line.id === row.line.id) : -1;
    if (index >= 0) page.lines[index] = { ...page.lines[index], ...row.line, number: index + 1 };
  }

  async onSaveError(row, state, error, text) {
    if (error.status === 409) {
      const page = await this.fetchPage(row.line.page);
      const theirs = page.lines.find((line) => line.id === row.line.id);
      row.conflict = { text: theirs ? theirs.text : "", state };
      row.line = theirs ? { ...row.line, revision: theirs.revision } : row.line;
      row.showNote();
      return announce("This line was changed in another window.");
    }
    localStorage.setItem(this.draftKey(row), JSON.stringify({ text, revision: row.line.revision }));
    this.failed.set(row, state);
    showProblem(`Not saved: ${error.message}`, ["Save again", () => this.saveFailed()]);
  }

  saveFailed() {
    hideProblem();
    for (const [row, state] of this.failed) this.save(row, state);
  }

  keepMine(row) {
    const { state } = row.conflict;
    row.conflict = null;
    row.showNote();
    row.field.focus();
    this.save(row, state);
  }

  takeTheirs(row) {
    const { text } = row.conflict;
    row.conflict = null;
    row.value = text;
    row.line = { ...row.line, text };
    localStorage.removeItem(this.draftKey(row));
    row.showNote();
    row.field.focus();
    this.reload(row.line.page);
  }

  restore(row) {
    row.keepStep(true);
    row.value = row.line.text;
    this.changed(row);
    announce("Restored.");
  }

  async undo(row) {
    if (row.undoTyping()) return;
    await row.sending;
    if (row.isChanged) return this.restore(row);
    try {
      const line = await ask("/api/undo", { page: row.line.page, line: row.line.id });
      if (!line.undone) return announce("Nothing to undo in this line.");
      row.set({ ...row.line, ...line, number: row.line.number });
      row.value = line.text;
      this.remember(row);
      this.showCount();
      announce(`Undone. ${line.state}.`);
    } catch (error) {
      showProblem(error.message);
    }
  }

  // What happens elsewhere

  async onStatus(status) {
    if (this.version !== undefined && status.version < this.version) status.changed = [...this.pages.keys()];
    this.version = status.version;
    if (!this.palette.isFilled && status.read + status.corrected + status.confirmed) await this.palette.fill();
    for (const key of status.changed) {
      if (this.prefetched && this.prefetched.key === key) this.prefetched = null;
      if (!this.page || (this.page.key !== key && !this.rows.some((row) => row.line.page === key))) this.pages.delete(key);
      else await this.reload(key);
    }
    if (isUseful && !this.rows.length && status.read) await this.loadUseful();
  }

  /** Take over what has changed on a page; the focus and what is being typed stay. */
  async reload(key) {
    let page;
    let edits;
    do {
      edits = this.edits;
      page = await this.fetchPage(key);
    } while (edits !== this.edits);
    this.takePage(page);
  }

  takePage(page) {
    const { key } = page;
    this.pages.set(key, page);
    if (isUseful) {
      const byId = new Map(page.lines.map((line) => [line.id, line]));
      this.rows = this.rows.filter((row) => row.line.page !== key || byId.has(row.line.id) || !row.item.remove());
      for (const row of this.rows.filter((one) => one.line.page === key)) {
        const line = byId.get(row.line.id);
        if (line && line.revision >= row.line.revision) row.set({ ...row.line, ...line, number: row.line.number });
      }
      if (this.page && this.page.key === key) this.showPage(page);
      return;
    }
    if (this.page && this.page.key !== key) return; // turned while this one was asked for
    const hadLines = this.rows.length > 0;
    this.showPage(page);
    this.build(page.lines);
    if (this.current) this.picture.light(this.current.line.id);
    else if (!hadLines && this.rows.length && (document.activeElement === document.body || document.activeElement.id === "main")) this.focus(this.rows[0]);
  }

  // Keys

  setLanguage(languages) {
    this.language = languages.length === 1 ? languages[0] : "";
    for (const row of this.rows) row.field.lang = this.language;
  }

  setScale(scale) {
    this.scale = Math.min(2.5, Math.max(0.7, scale));
    document.documentElement.style.setProperty("--scale", this.scale);
    localStorage.setItem("htr scale", this.scale);
  }

  onFieldKey(event) {
    const row = this.current;
    if (!row || event.target !== row.field || event.isComposing) return;
    if (this.choices.onKey(event)) return;
    const isCtrl = event.ctrlKey || event.metaKey;
    const key = `${isCtrl ? "Ctrl " : ""}${event.altKey ? "Alt " : ""}${event.shiftKey ? "Shift " : ""}${event.key}`;
    const actions = {
      Enter: () => this.confirmAndGoOn(),
      "Ctrl Enter": () => this.nextDoubtful(),
      ArrowUp: () => this.step(-1),
      ArrowDown: () => this.step(1),
      Escape: () => this.restore(row),
      "Ctrl z": () => this.undo(row),
      "Ctrl Shift Z": () => row.redo(),
      "Ctrl y": () => row.redo(),
      "Alt ArrowDown": () => this.choices.open(row),
    };
    if (!(key in actions)) return;
    event.preventDefault();
    actions[key]();
  }

  onKey(event) {
    if (document.querySelector("dialog[open]") || event.isComposing) return;
    const actions = {
      F2: "palette",
      F4: "layout",
      "Alt PageDown": "next-page",
      "Alt PageUp": "previous-page",
      "Alt Equal": "zoom-in",
      "Alt NumpadAdd": "zoom-in",
      "Alt Minus": "zoom-out",
      "Alt NumpadSubtract": "zoom-out",
      "Alt Digit0": "zoom-fit",
      "Alt Shift Equal": "larger",
      "Alt Shift Minus": "smaller",
      "Alt KeyW": "elsewhere",
      "Alt KeyM": "merge",
      "Alt KeyS": "split",
      "Alt KeyR": "redraw",
      "Alt KeyN": "draw",
      "Alt Shift KeyD": "delete",
      "Alt Shift ArrowUp": "up",
      "Alt Shift ArrowDown": "down",
      "Alt Shift KeyZ": "undo-layout",
    };
    if (event.ctrlKey || event.metaKey) return;
    const key = `${event.altKey ? "Alt " : ""}${event.shiftKey ? "Shift " : ""}${event.code}`;
    const digit = event.altKey && !event.shiftKey && /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit) this.palette.insert(Number(digit[1]) - 1);
    else if (key in actions) this.run(actions[key]);
    else return;
    event.preventDefault();
  }

  run(name) {
    const actions = {
      "zoom-in": () => this.picture.zoomBy(1.25),
      "zoom-out": () => this.picture.zoomBy(0.8),
      "zoom-fit": () => this.picture.fit(),
      "next-page": () => this.turnPage(1),
      "previous-page": () => this.turnPage(-1),
      larger: () => this.setScale(this.scale * 1.1),
      smaller: () => this.setScale(this.scale / 1.1),
      palette: () => this.palette.toggle(),
      layout: () => this.layout.toggle(),
      elsewhere: () => this.findElsewhere(),
    };
    if (name in actions) actions[name]();
    else this.layout.run(name);
  }

  /** Search all pages for the word at the cursor. */
  findElsewhere() {
    if (!this.current) return;
    const { field } = this.current;
    const text = this.current.value;
    const start = text.slice(0, field.selectionStart).search(/[\p{L}\p{M}\p{N}'’]*$/u);
    const word = field.selectionEnd > field.selectionStart ? text.slice(field.selectionStart, field.selectionEnd) : (/^[\p{L}\p{M}\p{N}'’]+/u.exec(text.slice(start)) || [""])[0];
    this.saveAll(true);
    if (word) location.href = `/find?words=1&text=${encodeURIComponent(word)}`;
  }
}

new Desk().start();
