// SPDX-License-Identifier: PostgreSQL
//
// Pieces that pages are made of: elements, numbers as text, tiles, tables.
// Text of others gets into the page as text nodes only.

export function h(tag, attrs, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs || {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (k === "class") e.className = v;
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// -- numbers ------------------------------------------------------------------

const none = "–";
const known = (v) => typeof v === "number" && Number.isFinite(v);

export function count(v) {
  return known(v) ? Math.round(v).toLocaleString("en-US") : none;
}

export function short(v) {
  if (!known(v)) return none;
  for (const [unit, by] of [["G", 1e9], ["M", 1e6], ["k", 1e4]])
    if (Math.abs(v) >= by) return (v / (unit === "k" ? 1e3 : by)).toPrecision(3) + " " + unit;
  return v >= 100 || Number.isInteger(v) ? count(v) : v.toFixed(1);
}

export function seconds(v) {
  if (!known(v)) return none;
  const a = Math.abs(v);
  const three = (n) => Number(n.toPrecision(3)).toString();
  if (a === 0) return "0";
  if (a < 999.5e-6) return three(v * 1e6) + " µs";
  if (a < 0.9995) return three(v * 1e3) + " ms";
  if (a < 120) return three(v) + " s";
  if (a < 7200) return Math.round(v / 60) + " min";
  if (a < 172800) return Math.round(v / 3600) + " h";
  return Math.round(v / 86400) + " d";
}

export function bytes(v) {
  if (!known(v)) return none;
  let i = 0;
  const units = ["B", "kB", "MB", "GB", "TB"];
  for (; Math.abs(v) >= 1024 && i < units.length - 1; i++) v /= 1024;
  return (i === 0 ? Math.round(v) : v.toPrecision(3)) + " " + units[i];
}

export function percent(v) {
  return known(v) ? (v * 100).toFixed(v > 0 && v < 0.01 ? 2 : 1) + " %" : none;
}

export function plain(v) {
  if (v === null || v === undefined || v === "") return none;
  return typeof v === "number" ? v.toLocaleString("en-US", { maximumFractionDigits: 3 }) : String(v);
}

// Not an amount: no separators.
export function id(v) {
  return v === null || v === undefined ? none : String(v);
}

// -- tiles --------------------------------------------------------------------

export function tiles(labels) {
  const made = {};
  const root = h("div", { class: "tiles" }, ...labels.map(([key, label]) => {
    const value = h("dd", { class: "value", id: "tile-" + key }, none);
    const note = h("dd", { class: "note" });
    made[key] = (text, more) => { say(value, text); say(note, more || ""); };
    return h("dl", { class: "tile" }, h("dt", null, label), value, note);
  }));
  return { root, set: made };
}

export function pill(text, mood) {
  return h("span", { class: "pill " + (mood || "") }, text);
}

const moods = {
  ok: "good", up: "good", active: "good", vouched: "good", fit: "good", cached: "good", running: "good", live: "good", streaming: "good", good: "good",
  down: "bad", failed: "bad", error: "bad", lost: "bad", lagging: "warn", paused: "warn",
  off: "warn", server_wait: "warn", fill_wait: "warn", connecting: "warn", stopped: "warn",
};

export function state(v) {
  if (v === null || v === undefined || v === "") return none;
  const text = String(v);
  return pill(text, moods[text.toLowerCase()] || "");
}

// -- tables -------------------------------------------------------------------

// columns: [name of the member, heading, formatter, class]
export function table(label, columns, options = {}) {
  let sort = options.sort || null;
  let down = true;
  let last = [];
  let words = "";
  const body = h("tbody");
  const heads = columns.map(([key, head, , kind]) => {
    const th = h("th", { scope: "col", class: kind });
    if (options.sortable)
      th.append(h("button", { type: "button", onclick: () => {
        down = sort === key ? !down : true;
        sort = key;
        draw();
      } }, head));
    else th.append(head);
    return th;
  });
  const empty = h("p", { class: "empty" }, options.empty || "Nothing to show.");
  const cut = h("p", { class: "empty", hidden: true }, "The list is longer than what is shown.");
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { "aria-label": label }, h("thead", null, h("tr", null, ...heads)), body));
  const root = h("div", null);
  if (options.filter) {
    const id = "filter-" + label.toLowerCase().replace(/[^a-z]+/g, "-");
    root.append(h("p", { class: "filter" }, h("label", { for: id }, "Filter"),
      h("input", { id, type: "search", oninput: (e) => { words = e.target.value.toLowerCase(); draw(); } })));
  }
  root.append(empty, scroll, cut);

  function ordered() {
    let rows = last;
    if (words)
      rows = rows.filter((r) => columns.some(([k]) => String(r[k]).toLowerCase().includes(words)));
    if (sort === null) return rows;
    return [...rows].sort((a, b) => {
      const [x, y] = [a[sort], b[sort]];
      const way = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -way : way;
    });
  }

  function cell(td, row, [key, , format, kind]) {
    const v = format ? format(row[key], row) : plain(row[key]);
    if (v instanceof Node) {
      if (td.textContent !== v.textContent || td.dataset.mood !== v.className) {
        td.replaceChildren(v);
        td.dataset.mood = v.className;
      }
    } else {
      say(td, v);
    }
    if (kind) td.className = kind;
  }

  function draw() {
    const rows = ordered().slice(0, options.max || 500);
    heads.forEach((th, i) => {
      if (options.sortable)
        th.setAttribute("aria-sort", columns[i][0] !== sort ? "none" : down ? "descending" : "ascending");
    });
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((row, i) => {
      const tr = body.rows[i] || body.insertRow();
      columns.forEach((c, k) => cell(tr.cells[k] || tr.insertCell(), row, c));
    });
    empty.hidden = rows.length > 0;
    scroll.hidden = rows.length === 0;
  }

  return {
    root,
    set(part) {
      last = (part && part.rows) || [];
      cut.hidden = !(part && part.truncated) && last.length <= (options.max || 500);
      if (part && part.error) say(empty, "Not available: " + part.error.message);
      draw();
    },
  };
}

export function card(title, ...children) {
  return h("section", { class: "card" }, h("h2", null, title), ...children);
}
