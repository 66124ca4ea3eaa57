// The tools for the layout of a page: which lines it has, and in which order.

import { announce, ask, showProblem } from "./common.js";

const tools = document.getElementById("layout-tools");
const button = document.getElementById("layout-button");
const undo = document.getElementById("undo-layout");
const SENTENCES = { delete: "Line deleted.", merge: "Lines merged.", split: "Line split.", redraw: "Baseline drawn.", draw: "Line drawn.", up: "Line moved.", down: "Line moved." };

export class Layout {
  constructor(desk) {
    this.desk = desk;
    button.addEventListener("click", () => this.toggle());
  }

  update(page) {
    undo.disabled = !page.undo;
  }

  toggle() {
    tools.hidden = !tools.hidden;
    button.setAttribute("aria-expanded", String(!tools.hidden));
    this.desk.picture.stage.classList.toggle("layout-on", !tools.hidden);
    if (!tools.hidden) tools.querySelector("button").focus();
    else if (this.desk.current) this.desk.current.field.focus();
  }

  run(name) {
    const row = this.desk.current;
    if (name === "undo-layout") return this.undo();
    if (name === "draw") return this.draw(name, row);
    if (!row) return announce("Choose a line first.");
    if (name === "redraw") return this.draw(name, row);
    this.send(name, row, name === "split" ? { position: row.field.selectionStart } : {});
  }

  draw(name, row) {
    if (!this.desk.page.width) return;
    this.desk.picture.startDrawing((points) => {
      if (points) this.send(name, row, { points });
      else if (row) row.field.focus();
    });
  }

  async send(name, row, values) {
    if (row) await this.desk.save(row);
    const isOfPage = row && this.desk.page && row.line.page === this.desk.page.key;
    try {
      const page = await ask("/api/lines", { edit: name, page: this.desk.page.key, line: isOfPage ? row.line.id : "", ...values });
      this.take(page, page.line);
      announce(SENTENCES[name]);
    } catch (error) {
      showProblem(error.message);
    }
  }

  async undo() {
    try {
      const page = await ask("/api/lines/undo", { page: this.desk.page.key });
      this.take(page, this.desk.current ? this.desk.current.line.id : "");
      announce(page.undone ? "Undone." : "Nothing to undo.");
    } catch (error) {
      showProblem(error.message);
    }
  }

  take(page, line) {
    this.desk.edits += 1;
    this.desk.takePage(page);
    const row = this.desk.rows.find((one) => one.line.page === page.key && one.line.id === line) || this.desk.rows[0];
    if (row) this.desk.focus(row);
  }
}
