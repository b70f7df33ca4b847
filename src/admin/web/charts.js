// SPDX-License-Identifier: PostgreSQL
//
// Charts: lines over time, distributions over each other, intervals.  Each has
// a name, a legend that tells lines apart by dashes as well as by colour, and
// the same numbers as a table.

/* global uPlot */
import { h, say, table, seconds, percent } from "./parts.js";

const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 5]];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (i) => css("--c" + (i % 6));
const alive = new Set();

export function redraw() {
  for (const u of alive) u.redraw(false, true);
}

const svg = (tag, attrs, ...children) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  e.append(...children);
  return e;
};

function swatch(i) {
  return svg("svg", { width: 26, height: 8, "aria-hidden": "true" },
    svg("line", { x1: 0, y1: 4, x2: 26, y2: 4, "stroke-width": 3, class: "s" + (i % 6),
      stroke: `var(--c${i % 6})`, "stroke-dasharray": dashes[i % 6].join(" ") || "none" }));
}

// At least a minute, so that a first point is not alone on an axis of years.
const SPAN = 60;
const clock = (t) => new Date(t * 1000).toLocaleTimeString([], { hour12: false });

function axis(values, side) {
  return {
    side, stroke: () => css("--muted"), grid: { stroke: () => css("--grid"), width: 1 },
    ticks: { show: false }, font: "12px system-ui, sans-serif", size: side === 3 ? 62 : 28, values,
  };
}

// One chart. y: formats its values; x: { time } or { log }.
function plot(label, x, y, tall) {
  const place = h("div", { class: tall ? "plot tall" : "plot", role: "img", "aria-label": label });
  const legend = h("ul", { class: "legend" });
  let u = null;
  let names = [];
  let data = [[]];

  function values(at) {
    [...legend.children].forEach((li, i) => {
      const v = data[i + 1] && data[i + 1][at];
      say(li.querySelector("b"), v === null || v === undefined ? "" : y(v));
    });
  }

  function make() {
    if (u) { alive.delete(u); u.destroy(); }
    u = new uPlot({
      width: Math.max(place.clientWidth, 50), height: place.clientHeight || 200,
      legend: { show: false }, padding: [8, 26, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      scales: {
        x: x.log ? { time: false, distr: 3 } :
          { time: true, range: (self, low, high) => [Math.min(low, high - SPAN), high] },
        y: { range: (self, low, high) => [0, high > 0 ? high * 1.08 : 1] },
      },
      axes: [
        axis((self, ticks) => ticks.map((t) => t === null ? "" : x.log ? seconds(t) : clock(t)), 2),
        axis((self, ticks) => ticks.map(y), 3),
      ],
      series: [{}, ...names.map((name, i) => ({
        label: name, stroke: () => colour(i), width: 2, dash: dashes[i % 6], points: { show: false },
        spanGaps: true, fill: x.log ? () => colour(i) + "22" : undefined,
        paths: x.log ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }))],
      hooks: { setCursor: [(self) => values(self.cursor.idx ?? (x.log ? -1 : data[0].length - 1))] },
    }, data, place);
    alive.add(u);
  }

  new ResizeObserver(() => {
    if (u && place.clientWidth > 0) u.setSize({ width: place.clientWidth, height: place.clientHeight });
  }).observe(place);

  return {
    place, legend,
    set(newNames, newData) {
      data = newData;
      if (!u || newNames.join("\0") !== names.join("\0")) {
        names = newNames;
        legend.replaceChildren(...names.map((n, i) => h("li", null, swatch(i), n + " ", h("b"))));
        make();
      } else {
        u.setData(data);
      }
      if (!x.log) values(data[0].length - 1);
    },
  };
}

// -- lines over time ----------------------------------------------------------

export function lines(title, note, names, format) {
  const p = plot(title, { time: true }, format);
  const rows = table(title + ", as a table", [["time", "Time"],
    ...names.map((n) => [n, n, format, "num"])], { max: 30 });
  const details = h("details", null, h("summary", null, "Show as a table"), rows.root);
  return {
    root: h("section", { class: "card" }, h("h2", null, title),
      h("figure", null, p.place, p.legend, h("figcaption", null, note)), details),
    set(data) {
      p.set(names, data);
      if (!details.open) return;
      rows.set({ rows: data[0].map((t, i) => Object.fromEntries([["time", clock(t)],
        ...names.map((n, k) => [n, data[k + 1][i]])])).reverse() });
    },
  };
}

// -- distributions ------------------------------------------------------------

const STEP = 2; // bins for each doubling

// [{le_seconds, count}] to shares by bin of the same relative width.
function bins(buckets) {
  const out = new Map();
  let sum = 0;
  for (const b of buckets || []) {
    if (!(b.le_seconds > 0) || !(b.count > 0)) continue;
    const bin = Math.ceil(Math.log2(b.le_seconds) * STEP - 1e-6);
    out.set(bin, (out.get(bin) || 0) + b.count);
    sum += b.count;
  }
  for (const [bin, n] of out) out.set(bin, n / sum);
  return out;
}

export function distributions(title, note, extra) {
  const p = plot(title, { log: true }, percent, true);
  const rows = table(title + ", as a table", [["name", "Name"], ["count", "Statements", null, "num"],
    ["p50_seconds", "p50", seconds, "num"], ["p95_seconds", "p95", seconds, "num"],
    ["p99_seconds", "p99", seconds, "num"]]);
  const empty = h("p", { class: "empty" }, "No statement yet.");
  const figure = h("figure", null, p.place, p.legend, h("figcaption", null, note));
  return {
    root: h("section", { class: "card" }, h("div", { class: "head" }, h("h2", null, title), extra || ""),
      empty, figure, rows.root),
    // items: [{name, buckets, count, p50_seconds, ...}]
    set(items) {
      const some = items.filter((i) => i.buckets && i.buckets.length > 0).slice(0, 6);
      const all = some.map((i) => bins(i.buckets));
      const keys = all.flatMap((b) => [...b.keys()]);
      empty.hidden = keys.length > 0;
      figure.hidden = keys.length === 0;
      rows.set({ rows: items });
      if (keys.length === 0) return;
      const low = Math.min(...keys) - 1;
      const high = Math.max(...keys) + 1;
      const xs = [];
      for (let k = low; k <= high; k++) xs.push(k);
      p.set(some.map((i) => i.name), [xs.map((k) => 2 ** ((k - 1) / STEP)),
        ...all.map((b) => xs.map((k) => b.get(k) || 0))]);
    },
  };
}

// What came between two cumulative histograms of a route.
export function difference(now, before) {
  if (!before) return now;
  const old = new Map((before.buckets || []).map((b) => [b.le_seconds, b.count]));
  const buckets = [];
  let n = 0;
  for (const b of now.buckets || []) {
    const more = b.count - (old.get(b.le_seconds) || 0);
    if (more < 0) return now; // it was started anew
    if (more > 0) buckets.push({ le_seconds: b.le_seconds, count: more });
    n += more;
  }
  const quantile = (q) => {
    let left = q * n;
    for (const b of buckets) if ((left -= b.count) <= 0) return b.le_seconds;
    return undefined;
  };
  return { ...now, buckets, count: n, p50_seconds: quantile(0.5), p95_seconds: quantile(0.95),
    p99_seconds: quantile(0.99) };
}

// -- intervals ----------------------------------------------------------------

// Bars of [low, high] around value, on a logarithmic axis around 1.
export function intervals(label) {
  const root = h("div", null);
  let shown = "";
  return {
    root,
    set(items) {
      const text = JSON.stringify(items);
      if (text === shown) return;
      shown = text;
      const some = items.filter((i) => i.ratio && i.ratio.low > 0 && i.ratio.high > 0);
      if (some.length === 0) { root.replaceChildren(); return; }
      const reach = Math.max(1.1, ...some.map((i) => Math.max(i.ratio.high, 1 / i.ratio.low))) * 1.05;
      const x = (v) => 130 + 430 * (0.5 + Math.log(v) / Math.log(reach) / 2);
      const high = 34 * some.length + 34;
      const out = svg("svg", { viewBox: `0 0 600 ${high}`, class: "interval", role: "img", "aria-label":
        label + ": " + some.map((i) => `${i.name} ${i.ratio.value.toFixed(3)}, between ${
          i.ratio.low.toFixed(3)} and ${i.ratio.high.toFixed(3)}`).join("; ") });
      out.append(svg("line", { x1: x(1), x2: x(1), y1: 4, y2: high - 24, class: "zero" }));
      for (const v of [1 / reach, 1, reach])
        out.append(svg("text", { x: x(v), y: high - 8, "text-anchor": "middle" },
          "×" + v.toFixed(2)));
      some.forEach((i, k) => {
        const y = 22 + 34 * k;
        out.append(svg("text", { x: 0, y: y + 4 }, i.name),
          svg("line", { x1: x(i.ratio.low), x2: x(i.ratio.high), y1: y, y2: y,
            stroke: `var(--c${(k + 1) % 6})`, "stroke-width": 8, "stroke-linecap": "round", opacity: 0.55 }),
          svg("circle", { cx: x(i.ratio.value), cy: y, r: 6, fill: `var(--c${(k + 1) % 6})` }));
      });
      root.replaceChildren(out);
    },
  };
}
