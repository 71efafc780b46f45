// The page: fetches one document of state whenever the server says that something changed, and draws what differs.

import { blocks, clock, day, el, form, full, message } from "./slack.js";

const $ = (id) => document.getElementById(id);
const state = { you: "", dm: null, lastDm: "", names: {}, bot: "", open: new Set(), document: null, detail: null, offset: 0 };

// --- Talking to the server

async function post(path, body) {
  const answer = await fetch(`api/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    toast(document.error ?? `That did not work (${answer.status}).`);
    return null;
  }
  return document;
}

let fetching = false;
let again = false;
async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const query = new URLSearchParams({ as: state.you, dm: state.dm ?? "" });
    // A failed request is no news: the stream says when the server is gone.
    const answer = await fetch(`api/state?${query}`).catch(() => null);
    if (answer?.ok) draw(await answer.json());
  } finally {
    fetching = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function follow() {
  const events = new EventSource("api/events");
  events.addEventListener("change", refresh);
  events.addEventListener("clock", (event) => setClock(JSON.parse(event.data)));
  events.addEventListener("open", () => document.body.classList.remove("gone"));
  events.addEventListener("error", () => toast("The demo has ended, or is not reachable.", 4000));
}

let toasting;
function toast(words, milliseconds = 6000) {
  $("toast").textContent = words;
  $("toast").hidden = false;
  clearTimeout(toasting);
  toasting = setTimeout(() => { $("toast").hidden = true; }, milliseconds);
}

// --- The clock

let ticking = null;
function setClock(shown) {
  ticking = { ...shown, at: Date.parse(shown.now), seen: performance.now() };
  const stands = shown.paused || shown.held;
  $("run").classList.toggle("paused", shown.paused);
  $("run").setAttribute("aria-label", shown.paused ? "Let the time run" : "Pause the time");
  $("run").title = $("run").getAttribute("aria-label");
  const minutes = shown.speed / 60;
  $("speed").textContent = shown.paused ? "paused" : shown.held ? "waits" : `${Number(minutes.toFixed(1))} min/s`;
  $("speed").title = shown.held ? `The company waits: ${shown.held}.` : "";
  $("now").classList.toggle("stands", Boolean(stands));
  tick();
}
function tick() {
  if (!ticking) return;
  const stands = ticking.paused || ticking.held;
  const elapsed = stands ? 0 : (performance.now() - ticking.seen) * ticking.speed;
  $("now").textContent = day(new Date(ticking.at + elapsed));
  $("now").title = full(new Date(ticking.at + elapsed));
}
setInterval(tick, 200);

// --- Drawing what differs

// Replaces the children of `parent` by `nodes`, keeping those whose key and content are as before.
function reconcile(parent, items) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let at = parent.firstElementChild;
  for (const { key, content, make } of items) {
    let node = known.get(key);
    known.delete(key);
    if (!node || node.dataset.content !== content) {
      const fresh = make();
      fresh.dataset.key = key;
      fresh.dataset.content = content;
      if (node) {
        if (node === at) at = fresh;
        node.replaceWith(fresh);
      }
      node = fresh;
    }
    if (node === at) at = node.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  known.forEach((node) => node.remove());
}

function draw(document) {
  state.document = document;
  state.names = document.names;
  state.bot = document.bot;
  state.you = document.you;
  setClock(document.clock);
  drawPeople(document);
  drawSlack(document);
  drawFunnel(document);
  drawLines(document);
  drawModal(document);
  drawTroubles(document);
  if (state.detail) loadDetail(false);
}

function drawPeople(document) {
  const who = $("who");
  const people = JSON.stringify(document.people);
  if (who.dataset.people !== people) {
    who.dataset.people = people;
    who.replaceChildren(...document.people.map((person) => el("option", { value: person.id }, `${person.name} (${person.role})`)));
  }
  who.value = document.you;
}

const visible = () => (state.dm ? state.document.dm : state.document.channel);

function drawSlack(document) {
  const inDms = state.dm !== null;
  $("in-channel").setAttribute("aria-selected", String(!inDms));
  $("in-dms").setAttribute("aria-selected", String(inDms));
  const count = document.dms.reduce((sum, one) => sum + one.messages, 0);
  $("dm-count").hidden = count === 0;
  $("dm-count").textContent = count;
  const select = $("dm-who");
  select.hidden = !inDms || document.dms.length === 0;
  const list = JSON.stringify(document.dms);
  if (select.dataset.list !== list) {
    select.dataset.list = list;
    select.replaceChildren(...document.dms.map((one) => el("option", { value: one.id }, `${one.name} (${one.messages})`)));
  }
  if (inDms && state.dm) select.value = state.dm;
  const shown = visible();
  const person = inDms ? shown?.name : document.people.find((one) => one.id === document.you)?.name;
  $("as").textContent = person ? `you act as ${person}` : "";
  const log = $("messages");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (!shown || shown.messages.length + shown.ephemerals.length === 0) {
    const words = inDms ? "Nobody has got a direct message yet. Owners are asked to sign in once their computer has its new certificate."
      : document.up ? "The first sweep reads the fleet. Its cards are posted here." : "The bot is down.";
    log.replaceChildren(el("p", { class: "empty", "data-key": "empty" }, words));
    return;
  }
  const roots = shown.messages.filter((one) => !one.thread_ts || one.thread_ts === one.ts || one.broadcast);
  const replies = new Map();
  for (const one of shown.messages) {
    if (one.thread_ts && one.thread_ts !== one.ts) replies.set(one.thread_ts, [...(replies.get(one.thread_ts) ?? []), one]);
  }
  const all = [...roots, ...shown.ephemerals].sort((a, b) => Number(a.ts) - Number(b.ts));
  const names = JSON.stringify(document.names);
  reconcile(log, all.map((one) => {
    const below = replies.get(one.ts) ?? [];
    return {
      key: `${shown.id} ${one.ts} ${one.ephemeral_to ?? ""}`,
      content: JSON.stringify([one, below]) + names.length,
      make: () => message(one, below, state, { pick: picked }),
    };
  }));
  if (log.dataset.shown !== shown.id + shown.person) {
    log.dataset.shown = shown.id + shown.person;
    log.scrollTop = inDms ? log.scrollHeight : 0;
  } else if (atEnd && log.scrollTop > 0) log.scrollTop = log.scrollHeight;
}

// A click on a message, after its confirm dialog, as whoever the visitor is at that moment.
function picked(one, action, block, option, origin, button) {
  const send = async () => {
    if (button) button.disabled = true;
    const person = visible().person;
    await post("click", { as: person, channel: one.channel, ts: one.ts, action, block, option });
    // A link of the company's Okta leads to a sign-in of this person; there is no browser inside the simulation.
    if (origin.url) toast((await post("sign-in", { as: person }))?.said ?? "");
    setTimeout(() => { if (button) button.disabled = false; }, 400);
    watchForAnswer();
  };
  if (origin.confirm) confirm(origin.confirm, send);
  else send();
}

// An answer that only this person sees may take a moment.
function watchForAnswer() {
  for (const wait of [400, 1200, 2500]) setTimeout(showAnswer, wait);
}

// An answer that only this person sees stands at the end: show it.
let answered = 0;
async function showAnswer() {
  await refresh();
  const newest = Math.max(0, ...(visible()?.ephemerals ?? []).map((one) => Number(one.ts)));
  if (newest > answered) {
    answered = newest;
    $("messages").scrollTop = $("messages").scrollHeight;
  }
}

function confirm(words, send) {
  const dialog = $("confirm");
  const close = () => dialog.close();
  dialog.replaceChildren(el("form", { onsubmit: (event) => { event.preventDefault(); close(); send(); } },
    el("header", {}, el("h2", { id: "confirm-title" }, words.title.text)),
    el("div", { class: "inside body" }, blocks([{ type: "section", text: words.text }], state.names, () => {})),
    el("footer", {}, el("button", { type: "button", class: "btn", onclick: close }, words.deny.text),
      el("button", { class: words.style === "danger" ? "btn danger" : "btn primary" }, words.confirm.text))));
  dialog.showModal();
}

// --- Modals

function drawModal(document) {
  const dialog = $("modal");
  const view = document.views.at(-1);
  if (!view) {
    if (dialog.open) dialog.close();
    dialog.dataset.view = "";
    return;
  }
  // What is filled in stays: only a new or changed view is drawn.
  const version = `${view.id} ${view.hash}`;
  if (dialog.dataset.view === version) return;
  dialog.dataset.view = version;
  const person = visible()?.person ?? document.you;
  const pick = (action, block, option) => post("click", { as: person, channel: "", view: view.id, action, block, option });
  const [nodes, read] = form(view, state.names, pick);
  const submit = async (event) => {
    event.preventDefault();
    const answer = await post("submit", { as: person, view: view.id, values: read() });
    for (const node of dialog.querySelectorAll("[data-error]")) node.textContent = answer?.errors?.[node.dataset.error] ?? "";
    if (answer && !answer.errors) watchForAnswer();
  };
  const close = () => post("close", { as: person, view: view.id });
  dialog.oncancel = (event) => { event.preventDefault(); close(); };
  dialog.replaceChildren(el("form", { onsubmit: submit },
    el("header", {}, el("h2", { id: "modal-title" }, view.content.title?.text ?? "")),
    el("div", { class: "inside body" }, nodes),
    el("footer", {}, el("button", { type: "button", class: "btn", onclick: close }, view.content.close?.text ?? "Close"),
      view.content.submit && el("button", { class: "btn primary" }, view.content.submit.text))));
  if (!dialog.open) dialog.showModal();
}

// --- The fleet

function drawFunnel(document) {
  const { funnel } = document;
  if (!funnel) return;
  $("fleet-title").textContent = `Fleet: ${funnel.total.toLocaleString("en")} device-users`;
  const missing = funnel.total - funnel.bars.at(-1).reached;
  const aside = funnel.out_of_scope > 0 ? ` · ${funnel.out_of_scope} more out of scope` : "";
  $("fleet-note").textContent = missing === 0 ? `everybody is managed${aside}` : `${missing} not managed; press a bar to see who is stuck there${aside}`;
  const list = $("funnel");
  if (list.children.length !== funnel.bars.length) {
    list.replaceChildren(...funnel.bars.map((bar) => el("li", {}, el("button", { type: "button", "data-bar": bar.id, "aria-expanded": "false", onclick: () => showBar(bar) },
      el("span", {}, bar.name), el("span", { class: "track", "aria-hidden": "true" }, el("div", { class: "fill" })), el("span", { class: "count" }, el("b"), el("i"))))));
  }
  // The bars are nearly equal: the track begins where the differences can be seen, and says so.
  const least = Math.min(...funnel.bars.map((bar) => bar.reached));
  const from = Math.max(0, Math.floor((least - (funnel.total - least) * 1.2) / 10) * 10);
  funnel.bars.forEach((bar, index) => {
    const button = list.children[index].firstElementChild;
    const share = (bar.reached - from) / Math.max(1, funnel.total - from);
    button.querySelector(".fill").style.width = `${Math.max(1, share * 100)}%`;
    button.querySelector("b").textContent = bar.reached.toLocaleString("en");
    button.querySelector("i").textContent = bar.stuck > 0 ? `${bar.stuck} stuck` : "";
    button.setAttribute("aria-label", `${bar.name}: ${bar.reached} of ${funnel.total}, ${bar.stuck} stuck here`);
    button.setAttribute("aria-expanded", String(state.detail?.bar?.id === bar.id));
    button.title = from > 0 ? `The bar begins at ${from}.` : "";
  });
}

function showBar(bar) {
  state.detail = state.detail?.bar?.id === bar.id && !state.detail.key ? null : { bar };
  loadDetail(true);
}

function showDevice(key) {
  state.detail = { ...state.detail, key };
  loadDetail(true);
}

async function loadDetail(fresh) {
  const { detail } = state;
  const place = $("detail");
  place.hidden = !detail;
  for (const button of document.querySelectorAll("[data-bar]")) button.setAttribute("aria-expanded", String(detail?.bar?.id === button.dataset.bar));
  if (!detail) return;
  const address = detail.key ? `api/device?${new URLSearchParams({ key: detail.key })}` : `api/stuck?${new URLSearchParams({ bar: detail.bar.id })}`;
  const answer = await fetch(address).catch(() => null);
  if (state.detail !== detail || !answer?.ok) return;
  const content = await answer.text();
  if (!fresh && place.dataset.content === content) return;
  place.dataset.content = content;
  const scroll = fresh ? 0 : place.scrollTop;
  place.replaceChildren(...(detail.key ? timeline(JSON.parse(content)) : stuck(detail.bar, JSON.parse(content))));
  place.scrollTop = scroll;
}

const closeDetail = () => { state.detail = null; loadDetail(false); };

function stuck(bar, people) {
  const title = people.length === 0 ? `Nobody is stuck at “${bar.name}”` : `${people.length} stuck at “${bar.name}”`;
  return [
    el("div", { class: "head" }, el("h2", {}, title), el("button", { class: "link", type: "button", onclick: closeDetail }, "Close")),
    el("ul", {}, people.map((person) => el("li", {}, el("button", { class: "person", type: "button", onclick: () => showDevice(person.key) },
      el("span", { class: "state" }, person.now), el("b", {}, person.who), el("p", {}, person.sentence))))),
  ];
}

const SOURCES = { okta: "Okta", jamf: "Jamf", intune: "Intune", entra: "Entra", slack: "Slack", unstuck: "unstuck", proof: "proved", scep: "SCEP", operator: "person" };

function timeline(device) {
  return [
    el("div", { class: "head" }, el("h2", {}, device.who),
      state.detail.bar && el("button", { class: "link", type: "button", onclick: () => { state.detail = { bar: state.detail.bar }; loadDetail(true); } }, "Back"),
      el("button", { class: "link", type: "button", onclick: closeDetail }, "Close")),
    el("p", { class: "facts" }, [device.serial_number, device.mdm ?? "no MDM record", device.device_id, device.cause, `sure: ${device.sure}`].filter(Boolean).join(" · ")),
    el("p", { class: "forward" }, device.sentence, " ", el("b", {}, `Now: ${device.now}.`)),
    device.ruled_out.length > 0 && el("p", { class: "out" }, "Ruled out: ", device.ruled_out.join(" · ")),
    el("ol", { class: "rows" }, device.rows.map((row) => el("li", { class: row.source },
      el("time", { class: "at", datetime: row.at }, moment(row.at)), el("span", { class: "from" }, SOURCES[row.source] ?? row.source), el("span", { class: "words" }, row.words)))),
  ].filter(Boolean);
}

// `2 Nov 2025` when long ago, `Mon 09:12` in the simulated week.
function moment(text) {
  const date = new Date(text);
  const now = ticking ? ticking.at : Date.now();
  if (Math.abs(now - date) < 6 * 86_400_000) return day(date);
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }) + ` ${clock(date)}`;
}

// The log follows its end until the visitor scrolls away from it, also when its height changes.
let following = true;
const toEnd = () => { if (following) $("lines").scrollTop = $("lines").scrollHeight; };
$("lines").addEventListener("scroll", () => {
  const list = $("lines");
  following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
});
new ResizeObserver(toEnd).observe($("lines"));

function drawLines(document) {
  const list = $("lines");
  reconcile(list, document.lines.map((line, index) => ({
    key: `${line.at} ${line.words}`, content: String(index === document.lines.length - 1),
    make: () => el("li", { class: line.kind }, el("time", { class: "at" }, day(new Date(line.at))), el("span", { class: "kind" }, line.kind), el("span", {}, line.words)),
  })));
  toEnd();
  const held = document.clock.held;
  const last = document.lines.at(-1);
  $("now-line").textContent = !document.up ? "the bot is down" : held ? held : last ? last.words : "starting";
  $("summary").textContent = document.summary.map((line) => line.replace(/\s+/g, " ")).join(" · ");
}

function drawTroubles(document) {
  $("break").classList.toggle("broken", !document.up || document.broken.okta_slow || document.broken.jamf_down);
  for (const button of troubleButtons()) button.setAttribute("aria-pressed", String(Boolean(document.broken[button.dataset.trouble])));
}
const troubleButtons = () => document.querySelectorAll("[data-trouble]");

// --- What the visitor does

$("run").addEventListener("click", async () => setClock(await post("time", { turn: ticking?.paused ? "resume" : "pause" }) ?? ticking));
$("faster").addEventListener("click", async () => setClock(await post("time", { turn: "faster" }) ?? ticking));
for (const button of troubleButtons()) {
  button.addEventListener("click", () => {
    $("break").open = false;
    post("break", { trouble: button.dataset.trouble });
  });
}
$("who").addEventListener("change", () => {
  state.you = $("who").value;
  state.dm = null;
  refresh();
});
$("in-channel").addEventListener("click", () => { state.dm = null; refresh(); });
$("in-dms").addEventListener("click", () => {
  state.dm = state.lastDm || state.document?.dms[0]?.id || "";
  refresh();
});
$("dm-who").addEventListener("change", () => {
  state.dm = state.lastDm = $("dm-who").value;
  refresh();
});
$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const shown = visible();
  const text = $("text").value.trim();
  if (!text || !shown) return;
  const sent = await post("say", { as: shown.person, channel: shown.id, text });
  if (sent) $("text").value = "";
  watchForAnswer();
});
for (const name of ["slack", "fleet"]) {
  $(`tab-${name}`).addEventListener("click", () => {
    document.querySelector(".panes").dataset.tab = name;
    for (const other of ["slack", "fleet"]) $(`tab-${other}`).setAttribute("aria-selected", String(other === name));
  });
}
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open], details.over[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open], details.over[open]");
  if (open) open.open = false;
  else if (state.detail && !document.querySelector("dialog[open]")) closeDetail();
});

refresh();
follow();
