// SPDX-License-Identifier: PostgreSQL
//
// The dashboard: pages by the part of the address behind #, asking the API
// every two seconds while it is looked at, and saying so when no answer comes.
// All addresses are relative, so that it works behind any prefix.

import { h, say, seconds } from "./parts.js";
import { redraw } from "./charts.js";
import { pages } from "./pages.js";

const EVERY = 2000;
const PATIENCE = 6000;
const HISTORY = 180;

const $ = (id) => document.getElementById(id);
const history = []; // overview answers
let page = null;
let update = null;
let answered = 0;   // when, by performance.now()
let failing = false;
let token = "";
let timer = 0;
let round = 0;

try { token = sessionStorage.getItem("token") || ""; } catch { /* kept for this page only */ }

// -- asking -------------------------------------------------------------------

class Refused extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

async function ask(path, options = {}) {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), options.patience || PATIENCE);
  try {
    const r = await fetch(path, {
      method: options.method || "GET", cache: "no-store", credentials: "same-origin", signal: stop.signal,
      headers: token ? { Authorization: "Bearer " + token } : {},
    });
    const body = await r.json().catch(() => ({}));
    if (!r.ok) {
      const e = body.error || {};
      throw new Refused(r.status, [e.message, e.detail, e.hint].filter(Boolean).join(" ") || "HTTP status " + r.status);
    }
    return body;
  } finally {
    clearTimeout(late);
  }
}

function failed(e) {
  const known = e instanceof Refused && e.status < 500;
  const first = !failing;
  failing = true;
  document.body.classList.add("stale");
  $("state").className = "pill bad";
  say($("state"), known ? "refused" : "no answer");
  say($("banner"), known ? "pgsluice refuses: " + e.message : "pgsluice does not answer." +
    (answered ? " What is shown is old." : ""));
  $("banner").hidden = false;
  // Once: who closes it wants it closed.
  if (first && known && e.status === 401 && !$("dialog").open) openDialog();
}

function recovered(process) {
  const moods = { serving: "good", paused: "warn", stopping: "bad" };
  failing = false;
  answered = performance.now();
  document.body.classList.remove("stale");
  $("banner").hidden = true;
  $("state").className = "pill " + (moods[process.state] || "");
  say($("state"), process.state);
  say($("about"), `pgsluice ${process.version}, up for ${seconds(Math.floor(process.uptime_seconds))}, ` +
    `configuration ${process.config_generation}` + (process.last_reload_ok ? "" : " (the last reload was refused)"));
}

async function own(mine) {
  const target = page;
  if (target.api === "overview") return;
  let a;
  try {
    a = await ask(`api/${target.api}.json`);
  } catch (e) {
    if (!(e instanceof Refused && e.status === 404)) throw e;
    a = {};
  }
  if (mine === round && target === page) update(a, history);
}

async function look() {
  const mine = ++round;
  clearTimeout(timer);
  try {
    const a = await ask("api/overview.json");
    if (mine !== round) return;
    const last = history[history.length - 1];
    if (last && last.answer.process.uptime_seconds > a.process.uptime_seconds) history.length = 0;
    history.push({ at: Date.now() / 1000, answer: a });
    if (history.length > HISTORY) history.shift();
    recovered(a.process);
    if (page.api === "overview") update(a, history);
    await own(mine);
  } catch (e) {
    if (mine === round) failed(e);
  }
  if (mine === round && !document.hidden) timer = setTimeout(look, EVERY);
}

// -- pages --------------------------------------------------------------------

function show(moved) {
  const id = location.hash.replace(/^#\/?/, "");
  const next = pages.find((p) => p.id === id) || pages[0];
  if (next === page) return;
  page = next;
  const heading = h("h1", { tabindex: "-1" }, page.title);
  $("main").replaceChildren(heading);
  update = page.make($("main"));
  for (const a of $("nav").querySelectorAll("a"))
    if (a.dataset.page === page.id) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  document.title = page.title + " · pgsluice";
  if (moved) heading.focus();
  look();
}

$("nav").append(...pages.map((p) => h("li", null, h("a", { href: "#/" + p.id, "data-page": p.id }, p.title))));
$("skip").addEventListener("click", (e) => { e.preventDefault(); $("main").focus(); });
addEventListener("hashchange", () => show(true));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else look();
});
setInterval(() => {
  if (!answered) return;
  const age = Math.round((performance.now() - answered) / 1000);
  say($("age"), document.hidden ? "" : age < 4 ? "Updated just now." : `Updated ${seconds(age)} ago.`);
}, 1000);

// -- theme --------------------------------------------------------------------

const themes = ["auto", "light", "dark"];
let theme = "auto";

function wear(which) {
  theme = themes.includes(which) ? which : "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  say($("theme"), "Theme: " + theme);
  try { localStorage.setItem("theme", theme); } catch { /* not kept */ }
  redraw();
}

try { theme = localStorage.getItem("theme"); } catch { /* auto */ }
wear(theme);
$("theme").addEventListener("click", () => wear(themes[(themes.indexOf(theme) + 1) % themes.length]));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

// -- actions ------------------------------------------------------------------

let actions = [];

function chosen() {
  return actions.find((a) => a.name === $("action").value);
}

function choose() {
  const a = chosen();
  const holes = a ? a.command.split(" ").map((w, i, all) => /^[$#]$/.test(w) ? all[i - 1].toLowerCase() : null).filter(Boolean) : [];
  say($("action-doc"), a ? a.description : "");
  $("action-args").replaceChildren(...holes.flatMap((name, i) => [
    h("label", { for: "arg" + i }, "Argument: " + name), h("input", { id: "arg" + i, required: true, autocomplete: "off" })]));
}

async function openDialog() {
  const last = history[history.length - 1];
  const possible = !last || last.answer.process.actions;
  $("token").value = token;
  say($("result"), "");
  say($("action-note"), possible ? "Actions need the token of http_token_file. It is kept until this tab is closed." :
    "No token is configured: this dashboard can only be looked at. See the setting http_token_file.");
  $("dialog").showModal();
  if (actions.length > 0) return;
  try {
    actions = (await ask("api/index.json")).actions;
    $("action").replaceChildren(...actions.map((a) => h("option", { value: a.name }, a.name.replaceAll("_", " "))));
    choose();
  } catch { /* the banner tells */ }
}

$("actions").addEventListener("click", openDialog);
$("action").addEventListener("change", choose);
$("close").addEventListener("click", () => $("dialog").close());
$("token").addEventListener("input", () => {
  token = $("token").value;
  try { sessionStorage.setItem("token", token); } catch { /* for this page */ }
  if (failing) look();
});
$("action-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const a = chosen();
  if (!a) return;
  const args = [...$("action-args").querySelectorAll("input")].map((i) => "arg=" + encodeURIComponent(i.value));
  say($("result"), "Running…");
  $("run").disabled = true;
  try {
    const r = await ask(`api/action/${a.name}` + (args.length ? "?" + args.join("&") : ""),
      { method: "POST", patience: 40000 });
    say($("result"), "Done: " + r.command + (r.notices ? "\n" + r.notices.join("\n") : "") +
      (r.rows ? "\n" + r.rows.map((x) => x.join(" ")).join("\n") : ""));
    look();
  } catch (e) {
    say($("result"), "Refused: " + e.message);
  } finally {
    $("run").disabled = false;
  }
});

show(false);
