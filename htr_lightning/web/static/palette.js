// The characters that keyboards lack: the nine most frequent by Alt and a digit, all of them in a panel.

import { announce, ask } from "./common.js";

const panel = document.getElementById("palette");
const button = document.getElementById("palette-button");

export class Palette {
  constructor(desk) {
    this.desk = desk;
    this.characters = [];
    this.isFilled = false;
  }

  async fill() {
    const { characters, languages } = await ask("/api/characters");
    this.isFilled = true;
    this.characters = characters;
    this.desk.setLanguage(languages);
    panel.replaceChildren(...characters.map((character, index) => this.makeButton(character, index)));
    if (!characters.length) panel.textContent = "The model has no characters that keyboards lack.";
  }

  makeButton(character, index) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = /\p{M}/u.test(character) ? `◌${character}` : character;
    made.title = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}${index < 9 ? `, Alt ${index + 1}` : ""}`;
    if (index < 9) {
      const digit = document.createElement("sub");
      digit.textContent = String(index + 1);
      digit.setAttribute("aria-hidden", "true");
      made.append(digit);
    }
    made.addEventListener("click", () => this.insert(index));
    return made;
  }

  insert(index) {
    const row = this.desk.current;
    if (!row || !this.characters[index]) return;
    row.insert(this.characters[index]);
    row.field.focus({ preventScroll: true });
    announce(this.characters[index]);
  }

  toggle() {
    panel.hidden = !panel.hidden;
    button.setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden && panel.firstElementChild) panel.firstElementChild.focus();
    else if (this.desk.current) this.desk.current.field.focus();
  }
}
