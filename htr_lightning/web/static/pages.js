// The list of pages: how far each one is.

import { watchStatus } from "./common.js";

const items = new Map([...document.querySelectorAll("#pages li")].map((item) => [item.dataset.key, item]));

function describe(count) {
  if (count.problem) return "cannot be used";
  if (!count.is_found) return "waiting";
  if (!count.lines) return "no lines";
  const parts = [`${count.confirmed} of ${count.lines} confirmed`];
  if (count.corrected) parts.push(`${count.corrected} corrected`);
  return parts.join(", ");
}

function number(count, name) {
  return `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
}

watchStatus((status) => {
  for (const [key, count] of Object.entries(status.counts)) {
    const item = items.get(key);
    if (!item) return location.reload();
    item.querySelector(".count").textContent = describe(count);
    item.title = count.problem || "";
    for (const state of ["confirmed", "corrected", "read"]) {
      item.querySelector(`.meter .${state}`).style.width = `${(100 * count[state]) / Math.max(1, count.lines)}%`;
    }
  }
  document.getElementById("totals").textContent =
    `${number(status.pages, "page")}, ${number(status.lines, "line")}: ${status.confirmed} confirmed, ${status.corrected} corrected, ${status.read} read`;
}, "&counts=1");
