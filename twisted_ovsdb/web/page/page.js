// The stream is opened first, then what exists is asked for: an event that comes between is applied
// afterwards. All text is set as text, never as markup.
"use strict";
const KINDS = [["VMs", "vm"], ["Bridges", "bridge"], ["Tunnels", "tunnel"], ["Patch ports", "patch"]], SHOWN = 500, SWITCHES = 200, LINES = 200;
const OLD = 12000; // ms without a sign of life, which comes each 5 s
const WORDS = { synchronized: "is in sync", disconnected: "is not connected" };
const $ = id => document.getElementById(id);
const key = (s, u) => s + "\n" + u;
let switches = new Map(), rows = new Map(), problems = new Map();
let matches = 0, next = null, lastId = null, heard = 0, connected = false, held = null, lines = [];
let ours = []; // why this monitor is not ready
let named = null, drawing = false, loading = 0, changed = false, whole = false, attempts = 0;

function make(tag, text, cls) {
  const e = document.createElement(tag);
  if (text !== undefined && text !== null) e.textContent = text;
  if (cls) e.className = cls;
  return e;
}
function cell(row, label, content, cls) {
  const td = make("td", null, cls), parts = [content].flat().filter(x => x);
  td.append(...parts);
  if (!parts.length) td.classList.add("empty");
  td.dataset.label = label;
  row.append(td);
  return td;
}
function ago(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return s + " s";
  if (s < 5400) return Math.round(s / 60) + " min";
  return s < 129600 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " days";
}
const since = t => t ? ago(Date.now() / 1000 - t) : "";
const when = t => t ? new Date(t * 1000).toLocaleString() : "";
const num = n => n.toLocaleString();
const plural = (n, word) => num(n) + " " + word + (n === 1 ? "" : "s");
const number = id => Number(id.split(":")[1]);
const nameOf = s => { const x = switches.get(s); return x && x.hostname || s; };

// The filter stands in the address: a link can be sent.
const FIELDS = ["text", "kind", "problem", "switch", "bridge"];
let filter = {};
function readFilter() {
  const form = $("filter").elements;
  filter = {};
  for (const f of FIELDS) if (form[f].value.trim()) filter[f] = form[f].value.trim();
}
function fromAddress() {
  const given = new URLSearchParams(location.search);
  for (const f of FIELDS) $("filter").elements[f].value = given.get(f) || "";
  readFilter();
}
function toAddress() {
  readFilter();
  const query = new URLSearchParams(filter).toString();
  history.replaceState(null, "", query ? "?" + query : location.pathname);
}
function wanted(s, i) {
  const f = filter, text = (f.text || "").toLowerCase();
  if (f.kind && i.kind !== f.kind || f.switch && s !== f.switch || f.bridge && i.bridge !== f.bridge) return false;
  if (f.problem && !problemsAt(key(s, i.uuid)).some(p => f.problem === "any" || p.problem === f.problem)) return false;
  return !text || [i.name, i.iface_id, i.error, i.attached_mac, i.remote_ip, i.peer, i.bridge, i.uuid]
    .some(t => t && t.toLowerCase().includes(text));
}
// Counts are exact; names are those of the first ones.
const problemsAt = k => [...problems.values()].filter(p => p.at === k);
const countProblems = s => Object.values(s.problem_counts).reduce((n, m) => n + m, 0);
function addProblem(s, i, p) {
  const at = key(s, i ? i.uuid : "");
  if (problems.size < 1000) problems.set(at + p.problem, { ...p, at, switch: s, interface: i });
}
function dropProblems(s) {
  for (const [k, p] of problems) if (p.switch === s) problems.delete(k);
  for (const r of rows.values()) if (r.switch === s) r.problems = [];
}

const token = () => sessionStorage.getItem("token");
const get = (path, more, signal) => fetch(path, { headers: { ...(token() && { Authorization: "Bearer " + token() }), ...more }, signal, cache: "no-store" });
async function askReady() {
  const reply = await get("/ready").catch(() => 0);
  ours = reply.status === 503 ? (await reply.text()).trim().split("\n") : [];
}
async function ask(path) {
  const reply = await get(path);
  if (reply.status === 401) { login(token()); throw new Error("the token is needed"); }
  if (!reply.ok) throw new Error(await reply.text());
  return reply;
}
function login(wrong) {
  sessionStorage.removeItem("token");
  $("login").hidden = false;
  $("main").hidden = true;
  $("connection").textContent = "Token needed";
  $("connection").className = "state wait";
  $("wrong").textContent = wrong ? "This is not the token." : "";
  $("token").focus();
}

async function load() {
  const mine = ++loading;
  held = [];
  askReady();
  try {
    const query = new URLSearchParams({ ...filter, limit: SHOWN });
    const answers = [ask("/switches"), ask("/interfaces?" + query), ask("/interfaces?problem=any&limit=100")];
    const [s, i, p] = await Promise.all((await Promise.all(answers)).map(a => a.json()));
    if (mine !== loading) return;
    switches = new Map(s.switches.map(x => [x.switch, x]));
    rows = new Map(i.interfaces.map(x => [key(x.switch, x.interface.uuid), x]));
    problems = new Map();
    for (const x of s.switches) for (const q of x.problems) addProblem(x.switch, null, q);
    for (const x of p.interfaces) for (const q of x.problems) addProblem(x.switch, x.interface, q);
    matches = i.matches; next = i.next;
    const waiting = held;
    held = null;
    // Counts are exact as of the answer's id; rows may be applied again.
    for (const e of waiting) apply(e, number(e.id) > number(s.id), number(e.id) > number(i.id));
    whole = true;
    draw();
  } catch (e) {
    if (mine === loading) { held = null; changed = true; $("count").textContent = String(e.message).trim(); }
  }
}
async function more() {
  const found = await (await ask("/interfaces?" + new URLSearchParams({ ...filter, limit: SHOWN, after: next }))).json();
  for (const x of found.interfaces) rows.set(key(x.switch, x.interface.uuid), x);
  next = found.next;
  draw();
}

function apply(e, counts = true, rowsToo = true) {
  const s = switches.get(e.switch), i = e.interface;
  if (e.event === "forgotten") {
    switches.delete(e.switch);
    dropProblems(e.switch);
    for (const [k, r] of rows) if (r.switch === e.switch) rows.delete(k);
  } else if (!s) changed = true;
  else if (e.problem) applyProblem(e, s, counts, rowsToo);
  else if (e.event === "disconnected" && counts) {
    if (s.speaking) changed = true; // lock?
    Object.assign(s, { in_sync: false, since: e.timestamp, reason: e.reason, disconnects: s.disconnects + (s.speaking == null), problem_counts: {} });
    dropProblems(e.switch); // nothing is claimed in an outage
  } else if (e.event === "synchronized" && counts) {
    if (!s.in_sync) s.since = e.timestamp;
    Object.assign(s, { in_sync: true, counts: { ...e.counts }, hostname: e.hostname || s.hostname });
    changed = true; // which problems are left
  } else if (i) {
    const k = key(e.switch, i.uuid), known = rows.get(k);
    if (counts && e.event === "online" && e.cause !== "replay") s.counts[e.kind]++;
    if (counts && e.event === "offline") s.counts[e.kind]--;
    if (!rowsToo) return;
    const show = e.event !== "offline" && wanted(e.switch, i);
    if (known && !show) { rows.delete(k); matches--; }
    else if (show && (known || rows.size < (next ? SHOWN : 2 * SHOWN))) {
      rows.set(k, { switch: e.switch, interface: i, problems: known ? known.problems : problemsAt(k), fresh: e.cause !== "replay" });
      if (!known) matches++;
    }
    else if (show && e.event === "online" && e.cause !== "replay") matches++;
    else if (e.event === "offline" && next && wanted(e.switch, i)) matches--;
  }
}
function applyProblem(e, s, counts, rowsToo) {
  const i = e.interface, k = key(e.switch, i ? i.uuid : ""), found = e.event === "problem";
  if (counts) s.problem_counts[e.problem] = Math.max(0, (s.problem_counts[e.problem] || 0) + (found ? 1 : -1));
  if (!rowsToo) return;
  if (found) addProblem(e.switch, i, { problem: e.problem, since: Date.parse(e.since) / 1000, detail: e.detail });
  else problems.delete(k + e.problem);
  if (rows.has(k)) rows.get(k).problems = problemsAt(k);
  if (filter.problem || i && !i.kind || problems.size < 50 && problems.size < countProblems(s)) changed = true;
}

// An element stays as long as it shows the same: so do the focus, a selection and the layout.
let elements = new Map(), used = new Map();
function kept(key, seen, build) {
  const old = elements.get(key), e = old && old.seen === seen ? old.e : build();
  used.set(key, { seen, e });
  return e;
}
function show(parent, children) {
  const active = document.activeElement, index = parent.contains(active) ? [...parent.querySelectorAll("button")].indexOf(active) : -1;
  const stay = new Set(children);
  for (const c of [...parent.children]) if (!stay.has(c)) c.remove();
  let at = parent.firstElementChild;
  for (const c of children) if (c === at) at = at.nextElementSibling; else parent.insertBefore(c, at);
  if (index >= 0 && !parent.contains(document.activeElement)) parent.querySelectorAll("button")[index]?.focus();
}

// Drawn at most twice a second.
function draw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => { drawing = false; drawAll(); }, whole ? 0 : 400);
  whole = false;
}
function drawAll() {
  const all = [...switches.values()], up = all.filter(s => s.in_sync).length;
  const wrong = all.reduce((n, s) => n + countProblems(s), 0);
  const facts = [["Switches in sync", num(up), " of " + num(all.length), up < all.length], ["Problems", num(wrong), "", wrong > 0],
    ...KINDS.map(([n, k]) => [n, num(all.reduce((n, s) => n + s.counts[k], 0)), "", false])];
  $("summary").replaceChildren(...facts.map(([name, value, rest, alarm]) => {
    const d = make("div", null, alarm ? "alarm" : ""), dd = make("dd", value);
    if (rest) dd.append(make("small", rest));
    d.append(make("dt", name), dd);
    return d;
  }));
  $("main").classList.toggle("one", all.length === 1);
  drawProblems(all, wrong);
  drawSwitches(all);
  drawRows();
  drawLines();
  drawConnection();
  elements = used;
  used = new Map();
}
function drawProblems(all, wrong) {
  const down = all.filter(s => !s.in_sync), bySince = (a, b) => (a.since || 0) - (b.since || 0);
  const items = down.sort(bySince).slice(0, 50).map(s => item("not connected", nameOf(s.switch), s.reason || "no connection yet", s.since, { switch: s.switch }));
  for (const p of [...problems.values()].sort(bySince).slice(0, 50)) {
    const i = p.interface, where = i ? [i.bridge, nameOf(p.switch)].filter(Boolean).join(" on ") : "";
    items.push(item(p.problem, i ? i.name : nameOf(p.switch), [where, p.detail].filter(Boolean).join(": "), p.since,
      i ? { switch: p.switch, text: i.name } : { switch: p.switch }));
  }
  const hidden = down.length + wrong - items.length;
  if (hidden > 0) items.push(make("li", "and " + plural(hidden, "other"), "quiet"));
  items.unshift(...ours.map(text => item("ovsdb-monitor", "", text, 0, { text })));
  show($("problem-list"), items);
  $("no-problems").textContent = items.length ? "" : all.length ? "None: every switch is in sync, and nothing has been wrong for long." : "No switch is known.";
}
const item = (state, name, detail, t, to) => kept("item" + [state, to.switch, to.text], [name, detail, since(t)] + "", () => {
  const li = make("li"), b = make("button", name, "link");
  b.type = "button";
  b.onclick = () => choose(to);
  li.append(make("span", state, "state bad"), name && b, make("span", detail));
  if (t) { const x = make("span", "for " + since(t), "quiet"); x.title = when(t); li.append(x); }
  return li;
});
function drawSwitches(all) {
  all.sort((a, b) => a.in_sync - b.in_sync || countProblems(b) - countProblems(a) || (nameOf(a.switch) < nameOf(b.switch) ? -1 : 1));
  show($("switches").tBodies[0], all.slice(0, SWITCHES).map(s => kept("switch" + s.switch, JSON.stringify(s) + since(s.since), () => {
    const tr = make("tr"), b = make("button", nameOf(s.switch), "link");
    b.type = "button";
    b.title = [s.switch, s.source, s.address].filter((x, i, a) => x && a.indexOf(x) === i).join(", ");
    b.onclick = () => choose({ switch: s.switch });
    cell(tr, "Switch", b);
    cell(tr, "State", make("span", s.in_sync ? s.speaking === false ? "standing by" : "in sync" : s.since ? "not connected" : "never connected", "state " + (s.in_sync ? "good" : "bad")));
    cell(tr, "Since", since(s.since)).title = when(s.since);
    for (const [label, n] of [...KINDS.map(([l, k]) => [l, s.counts[k]]), ["Problems", countProblems(s)], ["Outages", s.disconnects]])
      cell(tr, label, num(n), n ? "number" : "number zero");
    return tr;
  })));
  $("more-switches").hidden = all.length <= SWITCHES;
  $("more-switches").textContent = "and " + num(all.length - SWITCHES) + " more: see the filter below";
  if (named !== switches && document.activeElement !== $("filter").elements.switch) $("names").replaceChildren(...all.slice(0, 1000).map(s => { const o = make("option", nameOf(s.switch)); o.value = s.switch; return o; }));
  named = switches;
}
const order = (a, b) => {
  const x = [a.switch, a.interface.name, a.interface.uuid], y = [b.switch, b.interface.name, b.interface.uuid];
  for (let n = 0; n < 3; n++) if (x[n] !== y[n]) return x[n] < y[n] ? -1 : 1;
  return 0;
};
function states(r, down) {
  const i = r.interface, found = r.problems.map(p => [p.problem, "bad", p.detail, p.since]);
  const failed = i.ofport === -1 || i.error, has = n => r.problems.some(p => p.problem === n);
  if (failed && !has("failed")) found.unshift(["failed", "bad", i.error]);
  if (!failed && i.ofport === null && !has("pending")) found.unshift(["no port yet", "wait"]);
  return found.length ? found : [down ? ["last known", "wait"] : ["ready", "good"]];
}
function drawRow(r, down) {
  const i = r.interface, tr = make("tr", null, r.fresh ? "new" : "");
  r.fresh = false;
  cell(tr, "Interface", i.name);
  cell(tr, "Kind", i.kind || "");
  cell(tr, "State", states(r, down).flatMap(([word, cls, detail, t]) => {
    const x = make("span", word, "state " + cls);
    if (t) x.title = "since " + when(t);
    return [x, detail && make("span", detail, "detail")];
  }));
  cell(tr, "Port", i.ofport === null || i.ofport < 0 ? "" : i.ofport + "", "number");
  cell(tr, "Bridge", i.bridge || "");
  cell(tr, "Leads to", i.iface_id || i.peer || i.remote_ip || "");
  cell(tr, "Switch", nameOf(r.switch)).title = r.switch;
  return tr;
}
function drawRows() {
  const found = [...rows.entries()].sort((a, b) => order(a[1], b[1]));
  show($("interfaces").tBodies[0], found.map(([k, r]) => {
    const down = !(switches.get(r.switch) || {}).in_sync;
    return kept("row" + k, JSON.stringify([r.interface, r.problems, down]), () => drawRow(r, down));
  }));
  const few = rows.size < matches ? num(rows.size) + " of " : "";
  $("count").textContent = matches ? few + plural(matches, "interface") : Object.keys(filter).length ? "No interface matches the filter." : "No interfaces.";
  $("more").hidden = !next;
}
function drawLines() {
  if ($("pause").getAttribute("aria-pressed") === "true") return;
  show($("live"), lines.map(e => kept("line" + e.id, switches.size > 1, () => {
    const li = make("li"), t = make("time", new Date(e.timestamp * 1000).toLocaleTimeString([], { hour12: false })), i = e.interface;
    t.dateTime = e.time;
    li.append(t);
    if (i) {
      li.append((e.kind || "port") + " ", make("b", i.name), e.problem ? "" : " " + words(e));
      if (i.bridge) li.append(" on " + i.bridge);
      if (switches.size > 1) li.append(make("span", " " + nameOf(e.switch), "quiet"));
    } else li.append(make("b", nameOf(e.switch)), e.problem ? "" : " " + (WORDS[e.event] || e.event) + (e.reason ? ": " + e.reason : ""));
    if (e.problem) li.append(" ", ...trouble(e));
    return li;
  })));
  $("nothing").hidden = lines.length > 0;
}
function trouble(e) {
  const found = e.event === "problem";
  return [make("span", (found ? "" : "no longer ") + e.problem, "state " + (found ? "bad" : "good")), " " + (found ? e.detail : "after " + ago(e.lasted))];
}
function words(e) {
  const i = e.interface;
  if (e.event === "offline") return "is gone";
  if (e.event === "online") return (e.cause === "update" ? "came online" : "is online") + (i.ofport > 0 ? ", port " + i.ofport : i.ofport === null ? ", no port yet" : "") + (i.error ? ", failed: " + i.error : "");
  if (e.became_ready) return "is ready, port " + i.ofport;
  if (i.error || i.ofport === -1) return "failed" + (i.error ? ": " + i.error : "");
  return "changed: " + Object.entries(e.changes || {}).map(([c, [, now]]) => c + " " + (typeof now === "object" && now ? JSON.stringify(now) : now)).join(", ");
}
function drawConnection() {
  if (!$("login").hidden) return;
  const old = !connected || Date.now() - heard > OLD, state = $("connection");
  const text = !old ? "Live" : heard ? "Not connected to ovsdb-monitor: this is " + ago((Date.now() - heard) / 1000) + " old" : attempts > 1 ? "Not connected to ovsdb-monitor" : "Connecting";
  if (state.textContent !== text) state.textContent = text;
  state.className = "state " + (!old ? "good" : heard || attempts > 1 ? "bad" : "wait");
  $("main").classList.toggle("old", old && heard > 0);
  const wrong = [...switches.values()].reduce((n, s) => n + countProblems(s) + !s.in_sync, ours.length);
  document.title = (wrong ? "(" + wrong + ") " : "") + (old && heard ? "not connected: " : "") + "ovsdb-monitor";
}
function choose(f) {
  for (const n of FIELDS) $("filter").elements[n].value = f[n] || "";
  filterChanged();
  $("table").scrollIntoView();
  $("table").focus({ preventScroll: true });
}
let typing = 0;
function filterChanged(event) {
  toAddress();
  clearTimeout(typing);
  typing = setTimeout(load, event ? 250 : 0);
}

// The stream, read by fetch: EventSource cannot send a token.
function message(block) {
  let event = "message", id = null, data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("id: ")) id = line.slice(4);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (!data) return;
  const value = { ...JSON.parse(data), id };
  if (event === "started" || event === "resync") {
    if (event === "started" && value.resumed) return;
    lastId = id;
    load();
  } else {
    if (value.cause !== "replay") { lines.unshift(value); lines.length = Math.min(lines.length, LINES); }
    // Earlier events are only for the list.
    if (lastId && number(id) <= number(lastId)) { draw(); return; }
    lastId = id;
    if (held) held.push(value); else apply(value);
    draw();
  }
}
async function listen() {
  for (;;) {
    attempts++;
    const stop = new AbortController();
    try {
      const reply = await get("/events" + (lastId ? "" : "?last=50"), { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) }, stop.signal);
      if (reply.status === 401) { login(token()); return; }
      if (!reply.ok) throw new Error(await reply.text());
      if (!lastId) lines = [];
      connected = true;
      let text = "";
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        let timer;
        const silence = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("silence")), OLD); });
        const { done, value } = await Promise.race([reader.read(), silence]);
        clearTimeout(timer);
        if (done) break;
        heard = Date.now();
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        blocks.forEach(message);
      }
    } catch { /* again */ }
    stop.abort();
    connected = false;
    drawConnection();
    await new Promise(done => setTimeout(done, 1000 + Math.random() * 1000));
  }
}

addEventListener("DOMContentLoaded", () => {
  fromAddress();
  $("filter").addEventListener("input", filterChanged);
  $("filter").addEventListener("submit", e => e.preventDefault());
  $("filter").addEventListener("reset", () => setTimeout(filterChanged));
  addEventListener("popstate", () => { fromAddress(); load(); });
  $("more").addEventListener("click", () => more().catch(load));
  $("pause").addEventListener("click", () => {
    const on = $("pause").getAttribute("aria-pressed") !== "true";
    $("pause").setAttribute("aria-pressed", on);
    $("pause").textContent = on ? "Go on" : "Pause";
    drawLines();
  });
  $("login").addEventListener("submit", e => {
    e.preventDefault();
    sessionStorage.setItem("token", $("token").value.trim());
    $("token").value = "";
    $("login").hidden = true;
    $("main").hidden = false;
    listen();
  });
  setInterval(() => document.hidden || askReady(), 10000);
  setInterval(() => { if (changed && !held) { changed = false; load(); } else if (!document.hidden) draw(); }, 1000);
  listen();
});
