// SPDX-License-Identifier: PostgreSQL
//
// The pages.  Each has a name, the part of the API it shows, and make(), which
// builds it once and gives a function that is called with every new answer.
// history: the last minutes of overview answers, oldest first.

import { h, tiles, table, card, state, count, short, seconds, bytes, percent, plain, id, pill } from "./parts.js";
import { lines, distributions, difference, intervals } from "./charts.js";

const rowsOf = (part) => (part && part.rows) || [];
const sum = (rows, key) => rows.reduce((n, r) => n + (Number(r[key]) || 0), 0);
const outcomes = ["l1", "l2", "miss", "bypass"];
const outcomeNames = ["Memory (L1)", "Redis (L2)", "Miss", "Not cached"];

function byOutcome(answer) {
  const out = Object.fromEntries(outcomes.map((o) => [o, 0]));
  for (const r of rowsOf(answer.latency)) out[r.outcome in out ? r.outcome : "bypass"] += r.count;
  return out;
}

// Rates between answers, one column for each that has one before it.
function traffic(history) {
  const out = [[], [], [], [], []];
  for (let i = 1; i < history.length; i++) {
    const dt = history[i].at - history[i - 1].at;
    const [now, old] = [byOutcome(history[i].answer), byOutcome(history[i - 1].answer)];
    out[0].push(history[i].at);
    outcomes.forEach((o, k) => out[k + 1].push(Math.max(0, (now[o] - old[o]) / dt)));
  }
  return out;
}

function ratios(t) {
  const share = (i, k) => {
    const all = t[1][i] + t[2][i] + t[3][i] + t[4][i];
    return all > 0 ? t[k][i] / all : null;
  };
  return [t[0], t[0].map((_, i) => share(i, 1)), t[0].map((_, i) => share(i, 2))];
}

const entry = (history, ago) => {
  const last = history[history.length - 1];
  return history.find((e) => last.at - e.at <= ago) || last;
};

// Histograms of the last minute, or since the start.
function recent(answer, history, whole) {
  const before = history.length > 1 && !whole ? entry(history, 60).answer.histograms || [] : [];
  return (answer.histograms || [])
    .map((r) => ({ ...difference(r, before.find((b) => b.route === r.route)), name: r.route }))
    .filter((r) => r.count > 0).sort((a, b) => b.count - a.count);
}

// Quantiles over all routes, the control of an overview's tile.
function together(items) {
  const all = new Map();
  for (const i of items) for (const b of i.buckets) all.set(b.le_seconds, (all.get(b.le_seconds) || 0) + b.count);
  const buckets = [...all].sort((a, b) => a[0] - b[0]).map(([le_seconds, n]) => ({ le_seconds, count: n }));
  return difference({ buckets, count: sum(buckets, "count") }, { buckets: [] });
}

function span(change) {
  const name = "span" + Math.random().toString(36).slice(2);
  const radio = (value, text, on) => h("label", null,
    h("input", { type: "radio", name, value, checked: on, onchange: () => change(value === "all") }), text);
  return h("fieldset", { class: "radios", "aria-label": "Time span" },
    radio("minute", "Last minute", true), radio("all", "Since the start"));
}

function latencies(title) {
  let whole = false;
  let last = null;
  const chart = distributions(title, "Share of statements by latency, on a logarithmic axis with two " +
    "steps for each doubling; the six busiest routes.", span((v) => { whole = v; if (last) draw(...last); }));
  function draw(answer, history) {
    last = [answer, history];
    chart.set(recent(answer, history, whole));
  }
  return { root: chart.root, set: draw };
}

const latencyColumns = [["route", "Route"], ["variant", "Variant"], ["backend", "Backend"], ["outcome", "Outcome"],
  ["count", "Statements", count, "num"], ["avg_seconds", "Mean", seconds, "num"], ["p50_seconds", "p50", seconds, "num"],
  ["p95_seconds", "p95", seconds, "num"], ["p99_seconds", "p99", seconds, "num"]];
const feedColumns = [["backend", "Backend"], ["state", "State", state], ["proven_seconds_ago", "Proven ago", seconds, "num"],
  ["lag_bytes", "Lag", bytes, "num"], ["commits", "Commits", count, "num"], ["changes", "Changes", count, "num"],
  ["bumps", "Bumps", count, "num"], ["reconnects", "Reconnects", count, "num"], ["reason", "Reason", null, "text"]];

const rename = (part, from, to) => part && part.rows ?
  { ...part, rows: part.rows.map((r) => ({ ...r, [to]: from in r ? r[from] / 1000 : undefined })) } : part;
const feeds = (part) => rename(part, "proven_ms_ago", "proven_seconds_ago");

// -- overview -----------------------------------------------------------------

function overview(root) {
  const t = tiles([["rate", "Statements per second"], ["hits", "Answered by the cache"], ["p95", "Latency, p95"],
    ["clients", "Clients"], ["servers", "Servers at work"], ["lag", "Feeds proven within"]]);
  const rate = lines("Statements per second", "By where the answer came from, since this page was opened.",
    outcomeNames, short);
  const hit = lines("Hit ratio by layer", "Share of all statements that memory or Redis answered.",
    ["Memory (L1)", "Redis (L2)"], percent);
  const latency = latencies("Latency by route");
  const backends = table("Backends", [["name", "Backend"], ["state", "State", state], ["sv_active", "Active", count, "num"],
    ["sv_idle", "Idle", count, "num"], ["cl_waiting", "Clients waiting", count, "num"],
    ["pool_size", "Pool size", count, "num"], ["last_error", "Last error", null, "text"]]);
  const pools = table("Pools", [["backend", "Backend"], ["user", "User"], ["pool_mode", "Mode"],
    ["cl_active", "Clients active", count, "num"], ["cl_waiting", "Waiting", count, "num"], ["sv_active", "Servers active", count, "num"],
    ["sv_idle", "Idle", count, "num"], ["pool_size", "Size", count, "num"], ["paused", "Paused"]]);
  const feed = table("Feeds", feedColumns, { empty: "No backend is followed." });
  const replicas = table("Replicas", [["backend", "Backend"], ["replica", "Replica"], ["state", "State", state],
    ["lag_bytes", "Lag", bytes, "num"], ["age_seconds", "Age", seconds, "num"], ["reason", "Reason"], ["error", "Error", null, "text"]],
  { empty: "No replica is configured." });
  root.append(t.root, h("div", { class: "grid" }, rate.root, hit.root), latency.root,
    h("div", { class: "grid" }, card("Backends", backends.root), card("Pools", pools.root)),
    h("div", { class: "grid" }, card("Feeds", feed.root), card("Replicas", replicas.root)));

  return (a, history) => {
    const all = traffic(history);
    const last = all[0].length - 1;
    const rates = last < 0 ? [0, 0, 0, 0] : [1, 2, 3, 4].map((k) => all[k][last]);
    const total = rates.reduce((x, y) => x + y, 0);
    const now = together(recent(a, history, false));
    const servers = rowsOf(a.backends);
    const proven = rowsOf(feeds(a.feeds)).map((f) => f.proven_seconds_ago).filter(Number.isFinite);
    const made = a.counters ? a.counters.queries : undefined;
    t.set.rate(last < 0 ? "…" : short(total), count(made) + " since the start");
    t.set.hits(total > 0 ? percent((rates[0] + rates[1]) / total) : "–",
      total > 0 ? percent(rates[0] / total) + " memory, " + percent(rates[1] / total) + " Redis" : "no statement just now");
    t.set.p95(seconds(now.p95_seconds), "p50 " + seconds(now.p50_seconds) + ", p99 " + seconds(now.p99_seconds));
    t.set.clients(count(a.process && a.process.clients), count(sum(servers, "cl_waiting")) + " wait for a server");
    t.set.servers(count(sum(servers, "sv_active")), count(sum(servers, "sv_idle")) + " idle");
    t.set.lag(proven.length > 0 ? seconds(Math.max(...proven)) : "–", proven.length > 0 ? "" : "no feed");
    rate.set(all);
    hit.set(ratios(all));
    latency.set(a, history);
    backends.set(a.backends);
    pools.set(a.pools);
    feed.set(feeds(a.feeds));
    replicas.set(a.replicas);
  };
}

// -- routes -------------------------------------------------------------------

function routes(root) {
  const latency = latencies("Latency by route");
  const all = table("Latency", latencyColumns, { sortable: true, sort: "count" });
  const routed = table("Routed tables", [["table", "Table"], ["databases", "Databases"], ["variant", "Variant"],
    ["in_use", "In use"], ["kind", "Kind"], ["backend", "Backend"], ["relation", "Relation"], ["key_column", "Key"],
    ["time_column", "Time"], ["parts", "Parts"]], { empty: "No table is routed: everything goes to the database's backend." });
  const shapes = table("Statement shapes", [["calls", "Calls", count, "num"], ["total_seconds", "Total", seconds, "num"],
    ["mean_seconds", "Mean", seconds, "num"], ["p95_seconds", "p95", seconds, "num"], ["errors", "Errors", count, "num"],
    ["hits", "Hits", count, "num"], ["route", "Route"], ["database", "Database"], ["query", "Statement", null, "wide"]],
  { sortable: true, filter: true, max: 200, empty: "Shapes are not counted: set track_shapes = true." });
  root.append(latency.root, card("Routes, by outcome", all.root), card("Routed tables", routed.root),
    card("Statement shapes", shapes.root));
  return (a, history) => {
    latency.set(a, history);
    all.set(a.latency);
    routed.set(a.routes);
    shapes.set(a.shapes);
  };
}

// -- cache --------------------------------------------------------------------

const sectionTitles = { l1: "Memory (L1)", l2: "Redis (L2)", lookup: "Lookups", verify: "Hits that were verified",
  bypass: "Not cached, by reason", rule: "Rules" };

function cache(root) {
  const t = tiles([["l1", "Hits in memory"], ["l2", "Hits in Redis"], ["memory", "Memory in use"], ["objects", "Results kept"]]);
  const sections = h("div", { class: "columns" });
  const made = new Map();
  const shapes = table("Hot shapes", [["rule", "Rule"], ["state", "Decision", state], ["lookups", "Lookups", count, "num"],
    ["hits", "Hits", count, "num"], ["hit_ratio", "Hit ratio", plain, "num"], ["break_even", "Break-even", plain, "num"],
    ["origin_seconds", "Backend takes", seconds, "num"], ["hit_seconds", "A hit takes", seconds, "num"],
    ["statement", "Statement", null, "wide"]], { sortable: true, sort: "lookups", empty: "No statement of a rule has been weighed yet, or cache_governor is off." });
  const hot = table("Hot keys", [["hits_per_second", "Hits per second", short, "num"], ["share", "Share of hits", percent, "num"],
    ["name", "Name"], ["layer", "Layer", (v) => v === "l2" ? "Redis" : "Memory"], ["bytes", "Size", bytes, "num"],
    ["life_seconds", "Life left", seconds, "num"], ["database", "Database"], ["digest", "Digest", id], ["statement", "Statement", null, "wide"]],
  { sortable: true, sort: "hits_per_second", empty: "No result has been hit twice of late." });
  const candidates = table("Advisor", [["saved_seconds", "Would save", seconds, "num"], ["count", "Calls", count, "num"],
    ["hits", "Would hit", count, "num"], ["avg_seconds", "Mean", seconds, "num"], ["writes", "Writes", count, "num"],
    ["query", "Statement", null, "wide"], ["rule", "Rule", null, "wide"]], { empty: "No statement would gain from a rule." });
  const keys = table("Columns of keys", [["table", "Table"], ["column", "Column"], ["by", "By"], ["state", "State", state], ["text", "Why", null, "text"]],
    { empty: "No rule tells results apart by columns." });
  const feed = table("Feeds", feedColumns, { empty: "No backend is followed." });
  const watches = table("Watches", [["backend", "Backend"], ["state", "State", state], ["vouched_seconds", "Vouched for", seconds, "num"],
    ["looks", "Looks", count, "num"], ["error", "Error", null, "text"]], { empty: "No catalog is watched." });
  root.append(t.root, card("Hot keys: results that are hit most", hot.root),
    card("Hot shapes, and whether caching pays", shapes.root),
    card("Advisor: rules that would pay", candidates.root), sections, card("Columns of keys", keys.root),
    h("div", { class: "grid" }, card("Feeds", feed.root), card("Watches of catalogs", watches.root)));

  // SHOW CACHE is in sections; one that is not known here is shown as well.
  function sectioned(part) {
    const by = new Map();
    for (const r of rowsOf(part)) by.set(r.section, [...(by.get(r.section) || []), r]);
    for (const [name, rows] of by) {
      const title = sectionTitles[name] || "Cache: " + name;
      if (!made.has(name)) {
        made.set(name, table(title, name === "rule" ? [["name", "Rule"], ["note", "What it says", null, "text"]] :
          [["name", "Name"], ["value", "Value", count, "num"], ["note", "Meaning", (v) => v || "", "text"]],
        { empty: "None so far." }));
        sections.append(card(title, made.get(name).root));
      }
      made.get(name).set({ rows: name !== "bypass" ? rows :
        rows.filter((r) => r.value > 0).sort((x, y) => y.value - x.value) });
    }
    return (section, name) => {
      const r = (by.get(section) || []).find((x) => x.name === name);
      return r ? r.value : undefined;
    };
  }

  return (a) => {
    const value = sectioned(a.cache);
    t.set.l1(short(value("lookup", "hits_l1")), "since the start");
    t.set.l2(short(value("lookup", "hits_l2")), "since the start");
    t.set.memory(bytes(value("l1", "bytes")), "of " + bytes(value("l1", "limit")));
    t.set.objects(count(value("l1", "objects")), "in memory");
    hot.set(a.hot_keys);
    shapes.set(a.shapes);
    candidates.set(a.candidates);
    keys.set(a.keys);
    feed.set(feeds(a.feeds));
    watches.set(a.watches);
  };
}

// -- shards -------------------------------------------------------------------

function share(key) {
  return (v, row) => h("span", null, barOf(row[key + "_share"]), bytes(v));
}

function barOf(v) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  e.setAttribute("class", "bar");
  e.setAttribute("aria-hidden", "true");
  e.setAttribute("preserveAspectRatio", "none");
  e.setAttribute("viewBox", "0 0 1 1");
  const r = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  r.setAttribute("width", String(v || 0));
  r.setAttribute("height", "1");
  r.setAttribute("fill", "var(--c0)");
  e.append(r);
  return e;
}

function withShare(part, key) {
  const most = Math.max(1, ...rowsOf(part).map((r) => r[key] || 0));
  return { ...part, rows: rowsOf(part).map((r) => ({ ...r, [key + "_share"]: (r[key] || 0) / most })) };
}

function shards(root) {
  const layouts = table("Layouts", [["table", "Table"], ["variant", "Variant"], ["backend", "Backend"], ["state", "State", state],
    ["read_at", "Read at"], ["kind", "Kind"], ["text", "Finding", null, "text"]], { empty: "No variant has a layout." });
  const parts = table("Shards", [["table", "Table"], ["variant", "Variant"], ["remainder", "Remainder", count, "num"],
    ["backend", "Backend"], ["relation", "Relation"], ["rows", "Rows", short, "num"], ["bytes", "Size", share("bytes")],
    ["skew", "Skew", plain, "num"], ["direct", "Asked directly"], ["difference", "Difference"]], { empty: "No table is sharded." });
  const partitions = table("Partitions", [["table", "Table"], ["variant", "Variant"], ["backend", "Backend"], ["partition", "Partition"],
    ["lower", "From"], ["upper", "To"], ["rows", "Rows", short, "num"], ["bytes", "Size", share("bytes")],
    ["months_left", "Months left", count, "num"]], { empty: "No table is partitioned by time.", filter: true });
  root.append(card("Layouts", layouts.root), card("Shards", parts.root), card("Partitions", partitions.root));
  return (a) => {
    layouts.set(a.layouts);
    parts.set(withShare(a.shards, "bytes"));
    partitions.set(withShare(a.partitions, "bytes"));
  };
}

// -- experiments --------------------------------------------------------------

const ratioText = (r) => r && Number.isFinite(r.value) ? "×" + r.value.toFixed(3) +
  (Number.isFinite(r.low) && Number.isFinite(r.high) ? ` (${r.low.toFixed(3)} to ${r.high.toFixed(3)})` : "") : "–";

const armColumns = [["name", "Arm"], ["weight", "Weight", count, "num"], ["units", "Units", count, "num"],
  ["statements", "Statements", count, "num"], ["errors", "Errors", count, "num"], ["p50_seconds", "p50", seconds, "num"],
  ["p95_seconds", "p95", seconds, "num"], ["p99_seconds", "p99", seconds, "num"],
  ["ratio_to_control", "Time against the control", ratioText], ["missing_statements", "Still needed",
    (v) => Number.isFinite(v) ? "about " + count(v) + " more statements" : "–"],
  ["ruling", "Ruling"], ["guard", "Guard", (v) => v && v !== "none" ? pill(v + " fired", "bad") : "quiet"],
  ["mismatches", "Mismatches", count, "num"],
  ["inconclusive", "Inconclusive", count, "num"], ["compared", "Compared", count, "num"]];

function experiment(name) {
  const about = h("p", { class: "lead" });
  const mood = h("span");
  const alarm = h("p", { role: "status" });
  const chart = distributions(name + ": latency by arm", "Share of statements by latency, arms over each other.");
  const meaning = h("ul", { class: "meaning" });
  const bars = intervals(name + ", time against the control");
  const arms = table(name + ": arms", armColumns);
  const shapes = table(name + ": statements", [["statement", "Statement", null, "wide"], ...armColumns], { max: 200 });
  const root = h("div", { class: "experiment" }, h("section", { class: "card" },
    h("div", { class: "head" }, h("h2", null, name), mood), about, alarm, arms.root, meaning,
    h("h3", null, "Time against the control, with the interval that holds at all times"), bars.root),
  chart.root, card("By statement", shapes.root));
  return {
    root,
    set(e) {
      const list = e.arms || [];
      mood.replaceChildren(state(e.state));
      about.textContent = [e.table && "On " + e.table, e.mode, e.unit && "by " + e.unit,
        Number.isFinite(e.since_seconds) && "for " + seconds(e.since_seconds), e.reason].filter(Boolean).join(" · ");
      alarm.replaceChildren(...(e.sample_ratio_alarm ?
        [pill("Sample ratio alarm: arms do not get their shares, so nothing else counts", "bad")] : []));
      arms.set({ rows: list });
      const said = list.filter((a) => a.text).map((a) => a.name + ": " + a.text);
      if (said.join() !== meaning.dataset.said) {
        meaning.replaceChildren(...said.map((text) => h("li", null, text)));
        meaning.dataset.said = said.join();
      }
      bars.set(list.filter((a) => a.ratio_to_control).map((a) => ({ name: a.name, ratio: a.ratio_to_control })));
      chart.set(list.map((a) => ({ ...a, count: a.statements, buckets: a.histogram || [] })));
      shapes.set({ rows: (e.shapes || []).flatMap((s) => (s.arms || []).map((a) => ({ statement: s.statement || s.text, ...a }))) });
    },
  };
}

function experiments(root) {
  const made = new Map();
  const empty = h("p", { class: "card empty" }, "No experiment is configured.");
  root.append(empty);
  return (a) => {
    const list = (a && a.experiments) || [];
    empty.hidden = list.length > 0;
    for (const [name, one] of made)
      if (!list.some((e) => e.name === name)) { one.root.remove(); made.delete(name); }
    for (const e of list) {
      if (!made.has(e.name)) { made.set(e.name, experiment(e.name)); root.append(made.get(e.name).root); }
      made.get(e.name).set(e);
    }
  };
}

// -- sessions -----------------------------------------------------------------

function sessions(root) {
  const t = tiles([["clients", "Clients"], ["active", "At work"], ["waiting", "Waiting for a server"], ["servers", "Servers"]]);
  const clients = table("Clients", [["id", "Id", id, "num"], ["user", "User"], ["database", "Database"],
    ["application_name", "Application"], ["state", "State", state], ["state_seconds", "For", seconds, "num"],
    ["backend", "Backend"], ["pin", "Pinned by"], ["queries", "Statements", count, "num"], ["addr", "Address"],
    ["tls", "TLS"], ["worker", "Worker", count, "num"]], { sortable: true, filter: true });
  const servers = table("Servers", [["backend", "Backend"], ["user", "User"], ["state", "State", state], ["remote_pid", "PID", id, "num"],
    ["leases", "Leases", count, "num"], ["prepared_statements", "Prepared", count, "num"], ["connect_time", "Since"],
    ["worker", "Worker", count, "num"]], { sortable: true });
  const workers = table("Workers", [["worker", "Worker", count, "num"], ["clients", "Clients", count, "num"],
    ["servers", "Servers", count, "num"], ["shapes", "Shapes", count, "num"], ["shape_parses", "Parses", count, "num"]]);
  root.append(t.root, card("Clients", clients.root), h("div", { class: "grid" }, card("Servers", servers.root),
    card("Workers", workers.root)));
  return (a) => {
    const c = rowsOf(a.clients);
    t.set.clients(count(c.length));
    t.set.active(count(c.filter((r) => r.state === "active").length));
    t.set.waiting(count(c.filter((r) => r.state === "server_wait").length));
    t.set.servers(count(rowsOf(a.servers).length));
    clients.set(a.clients);
    servers.set(a.servers);
    workers.set(a.workers);
  };
}

export const pages = [
  { id: "overview", title: "Overview", api: "overview", make: overview },
  { id: "routes", title: "Routes", api: "routes", make: routes },
  { id: "cache", title: "Cache", api: "cache", make: cache },
  { id: "shards", title: "Shards & partitions", api: "shards", make: shards },
  { id: "experiments", title: "Experiments", api: "experiments", make: experiments },
  { id: "sessions", title: "Sessions", api: "sessions", make: sessions },
];
