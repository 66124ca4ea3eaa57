// The picture of the page: it follows the line, can be zoomed and moved, and baselines are drawn on it.

const SVG = "http://www.w3.org/2000/svg";
const MAX_ZOOM = 8;
const EDGE = 16; // px around the page

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.append(made);
  return made;
}

const format = (points) => points.map(([x, y]) => `${x},${y}`).join(" ");

export class Picture {
  /** @param onChoose called with the id of a line that is clicked */
  constructor(onChoose) {
    this.viewport = document.getElementById("viewport");
    this.stage = document.getElementById("stage");
    this.image = document.getElementById("page-image");
    this.overlay = document.getElementById("overlay");
    this.hint = document.getElementById("draw-hint");
    this.onChoose = onChoose;
    this.page = null;
    this.active = "";
    this.zoom = 1; // relative to the width of the viewport
    this.x = this.y = 0; // of the stage, in px of the screen
    this.draft = null;
    this.listen();
    new ResizeObserver(() => this.page && this.place(false)).observe(this.viewport);
  }

  /** Show a page; the zoom stays. */
  show(page) {
    const isOther = !this.page || this.page.key !== page.key;
    this.page = page;
    if (isOther) {
      this.active = "";
      this.x = this.y = 0;
      this.image.hidden = Boolean(page.problem) || !page.width;
      if (page.width) this.image.src = `/picture/${page.key}.jpg`;
      this.image.alt = `Page ${page.name}`;
      this.cancelDrawing();
    } else if (page.width && !this.image.getAttribute("src")) {
      this.image.src = `/picture/${page.key}.jpg`;
      this.image.hidden = false;
    }
    this.zoomToLines(page);
    this.drawShapes();
    this.place(false);
  }

  /** Begin with a zoom in which a usual line can be read; it is kept from then on. */
  zoomToLines(page) {
    if (this.isZoomed || !page.width || !page.lines.length) return;
    this.isZoomed = true;
    const widths = page.lines.map(({ picture: [left, top, right, bottom] }) => Math.max(right - left, bottom - top)).sort((a, b) => a - b);
    this.zoom = Math.min(2.5, Math.max(1, (0.85 * page.width) / widths[Math.floor(0.75 * widths.length)]));
  }

  drawShapes() {
    const page = this.page;
    this.overlay.replaceChildren();
    this.overlay.setAttribute("viewBox", `0 0 ${page.width || 1} ${page.height || 1}`);
    this.shapes = new Map();
    for (const line of page.lines) {
      const shape = element("polygon", { points: format(line.polygon), class: "shape" }, this.overlay);
      const base = element("polyline", { points: format(line.baseline), class: "base" }, this.overlay);
      shape.addEventListener("click", () => !this.draft && !this.moved && this.onChoose(line.id));
      this.shapes.set(line.id, { shape, base, line });
    }
    this.light(this.active);
  }

  light(id) {
    for (const part of ["shape", "base"]) {
      if (this.shapes.has(this.active)) this.shapes.get(this.active)[part].classList.remove("active");
      if (this.shapes.has(id)) this.shapes.get(id)[part].classList.add("active");
    }
    this.active = id;
  }

  /** Light a line, and move the picture only as far as needed for it to be in sight, with its neighbors. */
  follow(id) {
    this.light(id);
    const found = this.shapes.get(id);
    if (!found || !this.page.width) return;
    const xs = found.line.polygon.map((p) => p[0]);
    const ys = found.line.polygon.map((p) => p[1]);
    const scale = this.scale();
    const [left, right] = [Math.min(...xs) * scale, Math.max(...xs) * scale];
    const [top, bottom] = [Math.min(...ys) * scale, Math.max(...ys) * scale];
    const { width, height } = this.size();
    const room = Math.min(0.3 * height, 2.5 * (bottom - top) + 20);
    if (top + this.y < room) this.y = room - top;
    if (bottom + this.y > height - room) this.y = Math.max(height - room - bottom, 20 - top);
    if (right - left > width - 40) this.x = 20 - left;
    else if (left + this.x < 20) this.x = 20 - left;
    else if (right + this.x > width - 20) this.x = width - 20 - right;
    this.place(true);
  }

  size() {
    return { width: this.viewport.clientWidth, height: this.viewport.clientHeight };
  }

  scale() {
    return (this.zoom * this.size().width) / Math.max(1, this.page.width);
  }

  place(isSmooth) {
    const { width, height } = this.size();
    const scale = this.scale();
    const [w, h] = [this.page.width * scale, this.page.height * scale];
    this.x = w <= width ? (width - w) / 2 : Math.min(EDGE, Math.max(width - EDGE - w, this.x));
    this.y = h <= height ? (height - h) / 2 : Math.min(EDGE, Math.max(height - EDGE - h, this.y));
    this.stage.classList.toggle("smooth", isSmooth);
    this.stage.style.width = `${this.page.width}px`;
    this.stage.style.height = `${this.page.height}px`;
    this.stage.style.transform = `translate(${this.x}px, ${this.y}px) scale(${scale})`;
  }

  /** Zoom around a point of the screen, or the middle of the picture. */
  zoomBy(factor, clientX, clientY) {
    const box = this.viewport.getBoundingClientRect();
    const px = clientX === undefined ? box.width / 2 : clientX - box.left;
    const py = clientY === undefined ? box.height / 2 : clientY - box.top;
    const zoom = Math.min(MAX_ZOOM, Math.max(0.2, this.zoom * factor));
    const ratio = zoom / this.zoom;
    this.x = px - (px - this.x) * ratio;
    this.y = py - (py - this.y) * ratio;
    this.zoom = zoom;
    this.place(false);
  }

  fit() {
    const { width, height } = this.size();
    this.zoom = Math.min(1, (height / Math.max(1, this.page.height)) / (width / Math.max(1, this.page.width)));
    this.x = this.y = 0;
    this.place(false);
  }

  listen() {
    const view = this.viewport;
    view.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey) return this.zoomBy(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
      this.x -= event.deltaX;
      this.y -= event.deltaY;
      this.place(false);
    }, { passive: false });
    view.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("button")) return;
      this.drag = { x: event.clientX, y: event.clientY, from: [this.x, this.y] };
      this.moved = false;
    });
    view.addEventListener("pointermove", (event) => {
      if (this.draft) this.moveCross(this.toPage(event.clientX, event.clientY), false);
      if (!this.drag) return;
      const [dx, dy] = [event.clientX - this.drag.x, event.clientY - this.drag.y];
      if (!this.moved && Math.hypot(dx, dy) < 4) return;
      this.moved = true;
      view.classList.add("dragging");
      [this.x, this.y] = [this.drag.from[0] + dx, this.drag.from[1] + dy];
      this.place(false);
    });
    for (const name of ["pointerup", "pointerleave", "pointercancel"]) {
      view.addEventListener(name, (event) => {
        if (name === "pointerup" && this.drag && this.draft && !this.moved) {
          this.moveCross(this.toPage(event.clientX, event.clientY), false);
          this.addPoint();
        }
        this.drag = null;
        view.classList.remove("dragging");
      });
    }
    view.addEventListener("dblclick", () => this.draft && this.finishDrawing());
    view.addEventListener("keydown", (event) => this.onKey(event));
  }

  toPage(clientX, clientY) {
    const box = this.viewport.getBoundingClientRect();
    const scale = this.scale();
    return [(clientX - box.left - this.x) / scale, (clientY - box.top - this.y) / scale];
  }

  onKey(event) {
    const step = event.shiftKey ? 60 : this.draft ? 6 : 40;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== this.viewport) return;
    if (event.key in moves) {
      const [dx, dy] = moves[event.key].map((value) => value * step);
      if (this.draft) {
        this.moveCross([this.draft.cross[0] + dx / this.scale(), this.draft.cross[1] + dy / this.scale()], true);
      } else {
        this.x -= dx;
        this.y -= dy;
        this.place(false);
      }
    } else if (this.draft && event.key === " ") this.addPoint();
    else if (this.draft && event.key === "Enter") this.finishDrawing();
    else if (this.draft && event.key === "Backspace") this.removePoint();
    else if (this.draft && event.key === "Escape") this.cancelDrawing(true);
    else if (!this.draft && event.key === "Escape") this.onChoose(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Let the person draw a baseline; `done` gets its points, or null if it was given up. */
  startDrawing(done) {
    this.cancelDrawing();
    const { width, height } = this.size();
    const box = this.viewport.getBoundingClientRect();
    const found = this.shapes.get(this.active);
    const cross = found && found.line.baseline.length ? [...found.line.baseline[0]] : this.toPage(box.left + width / 2, box.top + height / 2);
    const path = element("polyline", { class: "draft" }, this.overlay);
    const mark = element("path", { class: "cross" }, this.overlay);
    this.draft = { points: [], cross, path, mark, done };
    this.viewport.classList.add("drawing");
    this.hint.textContent = "Click along the baseline, from its start to its end, and double-click; or move the cross with the arrow keys, Space sets a point, Enter ends, Backspace takes a point back, Esc gives up.";
    this.hint.hidden = false;
    this.moveCross(cross, true);
    this.viewport.focus();
  }

  moveCross(point, isFollowed) {
    const draft = this.draft;
    draft.cross = [Math.min(this.page.width, Math.max(0, point[0])), Math.min(this.page.height, Math.max(0, point[1]))];
    const [x, y] = draft.cross;
    const arm = 14 / this.scale();
    draft.mark.setAttribute("d", `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`);
    draft.path.setAttribute("points", format([...draft.points, draft.cross]));
    if (!isFollowed) return;
    const { width, height } = this.size();
    const scale = this.scale();
    this.x = Math.min(width - 40 - x * scale, Math.max(40 - x * scale, this.x));
    this.y = Math.min(height - 60 - y * scale, Math.max(60 - y * scale, this.y));
    this.place(false);
  }

  addPoint() {
    const { points, cross } = this.draft;
    const last = points[points.length - 1];
    if (!last || Math.hypot(last[0] - cross[0], last[1] - cross[1]) * this.scale() > 3) points.push([...cross]);
    this.moveCross(cross, false);
  }

  removePoint() {
    this.draft.points.pop();
    this.moveCross(this.draft.cross, false);
  }

  finishDrawing() {
    const { points, cross, done } = this.draft;
    if (points.length === 1) points.push([...cross]);
    if (points.length < 2) return;
    this.cancelDrawing();
    done(points);
  }

  cancelDrawing(isGivenUp = false) {
    if (!this.draft) return;
    const { path, mark, done } = this.draft;
    path.remove();
    mark.remove();
    this.draft = null;
    this.viewport.classList.remove("drawing");
    this.hint.hidden = true;
    if (isGivenUp) done(null);
  }
}
