// The most useful lines first: the same desk.
import "./lines.js";
