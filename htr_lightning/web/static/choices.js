// The alternatives of a doubtful word: a list at its place, used with the keys of the field.

import { announce } from "./common.js";

const box = document.getElementById("choices");

export class Choices {
  /** Open the list for the doubtful word at the cursor, or the next one after it. */
  open(row) {
    const doubts = row.findDoubts().filter((word) => word.alternatives.length);
    const at = row.field.selectionStart;
    const word = doubts.find((one) => one.end >= at) || doubts[0];
    if (!word) return announce("There is no doubtful word in this line.");
    this.row = row;
    this.word = word;
    row.field.setSelectionRange(word.start, word.end);
    box.replaceChildren(...[word.text, ...word.alternatives].slice(0, 9).map((text, index) => this.makeItem(text, index)));
    const mark = [...row.under.querySelectorAll("mark:not(.unknown)")][row.findDoubts().findIndex((one) => one.start === word.start)];
    const place = (mark || row.field).getBoundingClientRect();
    box.hidden = false;
    box.style.left = `${Math.max(4, Math.min(place.left, innerWidth - box.offsetWidth - 12))}px`;
    const below = place.bottom + 6;
    box.style.top = `${below + box.offsetHeight > innerHeight ? place.top - box.offsetHeight - 6 : below}px`;
    row.field.setAttribute("aria-controls", "choices");
    this.select(0);
  }

  makeItem(text, index) {
    const item = document.createElement("li");
    item.id = `choice-${index}`;
    item.setAttribute("role", "option");
    item.textContent = text;
    const number = document.createElement("small");
    number.textContent = index ? String(index) : "as it is";
    item.append(number);
    item.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.take(index);
    });
    return item;
  }

  select(index) {
    const items = [...box.children];
    this.index = (index + items.length) % items.length;
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === this.index)));
    this.row.field.setAttribute("aria-activedescendant", `choice-${this.index}`);
    announce(items[this.index].firstChild.textContent);
  }

  take(index) {
    const text = [this.word.text, ...this.word.alternatives][index];
    const { row, word } = this;
    this.close();
    if (index > 0) row.replace(word.start, word.end, text);
    else row.field.setSelectionRange(word.end, word.end);
  }

  close() {
    if (box.hidden) return;
    box.hidden = true;
    this.row.field.removeAttribute("aria-activedescendant");
    this.row.field.removeAttribute("aria-controls");
  }

  /** Use a key for the open list; return whether it was one of its keys. */
  onKey(event) {
    if (box.hidden) return false;
    const digit = /^[1-9]$/.exec(event.key);
    if (event.key === "ArrowDown") this.select(this.index + 1);
    else if (event.key === "ArrowUp") this.select(this.index - 1);
    else if (event.key === "Enter" || event.key === "Tab") this.take(this.index);
    else if (event.key === "Escape") this.close();
    else if (digit && Number(digit[0]) < box.children.length && !event.altKey) this.take(Number(digit[0]));
    else {
      if (event.key.length === 1) this.close();
      return false;
    }
    event.preventDefault();
    return true;
  }
}
