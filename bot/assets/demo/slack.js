// Draws Slack's blocks. Everything is built as nodes: no text of a device or a person is ever parsed as HTML.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list" && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Circles are drawn: not every machine has a font with coloured ones.
const DOTS = /:(?:large_)?(yellow|green|orange|blue|red|white|black)_circle:/g;
const EMOJI = {
  white_check_mark: "✅",
  warning: "⚠️", x: "❌", no_entry: "⛔", no_entry_sign: "🚫", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  alarm_clock: "⏰", rotating_light: "🚨", wave: "👋", lock: "🔒", key: "🔑", mag: "🔍", computer: "💻",
  zzz: "💤", clock1: "🕐", arrow_right: "➡️", octagonal_sign: "🛑", stop_sign: "🛑", information_source: "ℹ️",
  heavy_check_mark: "✔️", ballot_box_with_check: "☑️", tada: "🎉", bell: "🔔", fast_forward: "⏩",
  leftwards_arrow_with_hook: "↩️", busts_in_silhouette: "👥", bust_in_silhouette: "👤", speech_balloon: "💬",
  double_vertical_bar: "⏸️", black_square_for_stop: "⏹️", arrows_counterclockwise: "🔄", recycle: "♻️",
};

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (number) => String(number).padStart(2, "0");
export const clock = (date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
export const day = (date) => `${DAYS[date.getUTCDay()]} ${clock(date)}`;
export const full = (date) => `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${clock(date)}`;

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const emoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => EMOJI[name] ?? whole);
const plain = (text) => emoji(unescape(text));

function dots(line) {
  const out = [];
  let last = 0;
  for (const match of line.matchAll(DOTS)) {
    if (match.index > last) out.push(document.createTextNode(plain(line.slice(last, match.index))));
    out.push(el("span", { class: `dot ${match[1]}`, "aria-hidden": "true" }));
    last = match.index + match[0].length;
  }
  if (last < line.length) out.push(document.createTextNode(plain(line.slice(last))));
  return out;
}

// `<!date^ts^format^link|fallback>`; the simulated company lives in UTC.
function dated(seconds, format, fallback) {
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return fallback;
  const month = MONTHS[date.getUTCMonth()];
  const words = {
    time: clock(date), time_secs: `${clock(date)}:${two(date.getUTCSeconds())}`,
    date: `${date.getUTCDate()} ${month} ${date.getUTCFullYear()}`,
    date_num: `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`,
    date_short: `${date.getUTCDate()} ${month}`, date_long: `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${month}`,
    date_pretty: `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${month}`,
    date_short_pretty: `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${month}`,
    date_long_pretty: `${DAYS[date.getUTCDay()]} ${date.getUTCDate()} ${month}`,
  };
  return format.replace(/\{(\w+)\}/g, (whole, word) => words[word] ?? whole);
}

function angle(inside, names) {
  const [what, label] = inside.split(/\|(.*)/s);
  if (what.startsWith("@")) return el("span", { class: "mention" }, `@${names[what.slice(1)] ?? label ?? what.slice(1)}`);
  if (what.startsWith("#")) return el("span", { class: "mention" }, `#${names[what.slice(1)] ?? label ?? what.slice(1)}`);
  if (what.startsWith("!subteam^")) {
    const id = what.slice(9);
    return el("span", { class: "mention" }, `@${names[id] ?? (label ?? id).replace(/^@/, "")}`);
  }
  if (what.startsWith("!date^")) {
    const [, seconds, format] = what.split("^");
    return el("time", { title: full(new Date(Number(seconds) * 1000)) }, plain(dated(seconds, format ?? "", label ?? "")));
  }
  if (what.startsWith("!")) return el("span", { class: "mention" }, `@${what.slice(1)}`);
  const address = unescape(what);
  if (!/^(https?|mailto):/i.test(address)) return document.createTextNode(plain(label ?? what));
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, plain(label ?? what));
}

const INLINE = /(```[\s\S]*?```)|(`[^`\n]+`)|(<[^>\n]+>)|(?<![\w*])\*(?=\S)([^*\n]*?\S)\*(?!\w)|(?<!\w)_(?=\S)([^_\n]*?\S)_(?!\w)|(?<!\w)~(?=\S)([^~\n]*?\S)~(?!\w)/g;

export function mrkdwn(text, names) {
  const out = [];
  let last = 0;
  const words = (piece) => {
    piece.split("\n").forEach((line, index) => {
      if (index > 0) out.push(el("br"));
      if (line) out.push(...dots(line));
    });
  };
  for (const match of text.matchAll(INLINE)) {
    words(text.slice(last, match.index));
    last = match.index + match[0].length;
    const [whole, block, code, link, bold, italic, struck] = match;
    if (block) {
      out.push(el("pre", {}, unescape(block.slice(3, -3).replace(/^\n/, ""))));
      if (text[last] === "\n") last += 1;
    } else if (code) out.push(el("code", {}, unescape(code.slice(1, -1))));
    else if (link) out.push(angle(link.slice(1, -1), names));
    else if (bold !== undefined) out.push(el("strong", {}, mrkdwn(bold, names)));
    else if (italic !== undefined) out.push(el("em", {}, mrkdwn(italic, names)));
    else if (struck !== undefined) out.push(el("s", {}, mrkdwn(struck, names)));
    else out.push(document.createTextNode(whole));
  }
  words(text.slice(last));
  return quoted(out);
}

// Lines that begin with `>` are a quotation.
function quoted(nodes) {
  const first = nodes[0];
  if (!(first instanceof Text) || !/^> ?/.test(first.data)) return nodes;
  first.data = first.data.replace(/^> ?/, "");
  nodes.forEach((node, index) => {
    if (node.nodeName === "BR" && nodes[index + 1] instanceof Text) nodes[index + 1].data = nodes[index + 1].data.replace(/^> ?/, "");
  });
  return [el("blockquote", {}, nodes)];
}

const text = (object, names) => (object?.type === "mrkdwn" ? mrkdwn(object.text, names) : [plainText(object?.text ?? "")]);
const plainText = (words) => document.createTextNode(emoji(words));

// Draws blocks. `pick(action, block, option, element)` is called for every click.
export function blocks(list, names, pick) {
  return list.map((block) => drawBlock(block, names, pick)).filter(Boolean);
}

function drawBlock(block, names, pick) {
  switch (block.type) {
    case "header":
      return el("div", { class: "b-header" }, text(block.text, names));
    case "divider":
      return el("hr", { class: "b-divider" });
    case "section": {
      const what = el("div", { class: "what" });
      if (block.text) what.append(...text(block.text, names));
      if (block.fields) {
        what.append(el("div", { class: "b-fields" }, block.fields.map((field) => el("div", {}, text(field, names)))));
      }
      const accessory = block.accessory && element(block.accessory, block.block_id, names, pick);
      return el("div", { class: "b-section" }, what, accessory);
    }
    case "context":
      return el("div", { class: "b-context" }, block.elements.map((one) => el("span", {}, one.type === "image" ? one.alt_text : text(one, names))));
    case "actions":
      return el("div", { class: "b-actions" }, block.elements.map((one) => element(one, block.block_id, names, pick)));
    case "markdown":
      return el("div", { class: "b-section" }, el("div", { class: "what" }, plain(block.text)));
    case "rich_text":
      return el("div", { class: "b-section" }, el("div", { class: "what" }, richText(block)));
    default:
      return null;
  }
}

function richText(block) {
  const leaves = (node) => (node.elements ? node.elements.flatMap(leaves) : [node.text ?? node.url ?? ""]);
  return leaves(block).join("");
}

function element(one, blockId, names, pick) {
  switch (one.type) {
    case "button": {
      const style = one.style ? ` ${one.style}` : "";
      const label = emoji(one.text.text);
      return el("button", { class: `btn${style}`, type: "button", "aria-label": one.accessibility_label ?? label,
        onclick: (event) => pick(one.action_id, blockId, null, one, event.currentTarget) }, label);
    }
    case "overflow": {
      const menu = el("details", { class: "over" }, el("summary", { "aria-label": "More actions" }, "⋯"));
      menu.append(el("div", { class: "sheet" }, one.options.map((option) =>
        el("button", { type: "button", onclick: () => { menu.open = false; pick(one.action_id, blockId, option.value, one); } }, emoji(option.text.text)))));
      return menu;
    }
    case "static_select": {
      const select = el("select", { "aria-label": one.placeholder?.text ?? "Choose",
        onchange: () => select.value && pick(one.action_id, blockId, select.value, one) },
        el("option", { value: "" }, one.placeholder?.text ?? "Choose…"),
        options(one).map((option) => el("option", { value: option.value }, emoji(option.text.text))));
      select.value = one.initial_option?.value ?? "";
      return select;
    }
    default:
      return null;
  }
}

export const options = (one) => one.options ?? (one.option_groups ?? []).flatMap((group) => group.options);

// One message; a thread unfolds below its parent.
export function message(one, replies, state, handlers) {
  const { names } = state;
  const bot = one.user === state.bot;
  const name = names[one.user] ?? (bot ? "unstuck" : one.user);
  const at = new Date(Number(one.ts.split(".")[0]) * 1000);
  const pick = (action, block, option, origin, button) => handlers.pick(one, action, block, option, origin, button);
  const body = el("div", { class: "body" });
  if (one.subtype === "tombstone") body.append(el("em", { class: "quiet" }, "This message was deleted."));
  else if (one.blocks.length > 0) body.append(...blocks(one.blocks, names, pick));
  else body.append(...mrkdwn(one.text, names));
  if (one.edited_ts) body.append(el("span", { class: "edited" }, " (edited)"));
  const content = el("div", {},
    one.ephemeral_to && el("div", { class: "only" }, "Only visible to you"),
    el("div", { class: "by" }, name, bot && el("span", { class: "app-tag" }, "APP"), el("time", { class: "time", title: full(at) }, day(at))),
    body);
  if (replies.length > 0) content.append(thread(one, replies, state, handlers));
  return el("article", { class: one.ephemeral_to ? "msg only-you" : "msg" },
    el("div", { class: bot ? "face app" : "face", "aria-hidden": "true" }, bot ? "✓" : name.slice(0, 1)), content);
}

function thread(parent, replies, state, handlers) {
  const open = state.open.has(parent.ts);
  const list = el("ul", { class: "replies", hidden: !open }, replies.map((reply) => {
    const at = new Date(Number(reply.ts.split(".")[0]) * 1000);
    const by = reply.user === state.bot ? "" : `${state.names[reply.user] ?? reply.user}: `;
    const pick = (action, block, option, origin, button) => handlers.pick(reply, action, block, option, origin, button);
    const inside = reply.blocks.length > 0 ? blocks(reply.blocks, state.names, pick) : mrkdwn(reply.text, state.names);
    return el("li", {}, el("time", { class: "time", title: full(at) }, day(at)), by && el("b", {}, by), inside);
  }));
  const count = `${replies.length} ${replies.length === 1 ? "reply" : "replies"}`;
  const button = el("button", { type: "button", "aria-expanded": String(open), onclick: () => {
    list.hidden = !list.hidden;
    button.setAttribute("aria-expanded", String(!list.hidden));
    state.open[list.hidden ? "delete" : "add"](parent.ts);
  } }, count);
  return el("div", { class: "thread" }, button, list);
}

// The form of a modal. Returns the node and a function that reads what was filled in, by block id.
export function form(view, names, pick) {
  const inputs = [];
  const nodes = (view.content.blocks ?? []).map((block) => {
    if (block.type !== "input") return drawBlock(block, names, pick);
    const { element: one } = block;
    const [node, read] = input(one, block, view.values?.[block.block_id]?.[one.action_id]);
    inputs.push([block.block_id, read]);
    const error = el("div", { class: "error", role: "alert", "data-error": block.block_id }, view.errors?.[block.block_id] ?? "");
    const optional = block.optional ? el("span", { class: "quiet" }, " (optional)") : null;
    const grouped = one.type === "radio_buttons" || one.type === "checkboxes";
    return el(grouped ? "fieldset" : "div", { class: "field" },
      el(grouped ? "legend" : "label", { class: "label", for: grouped ? null : `in-${block.block_id}` }, block.label.text, optional),
      node, block.hint && el("div", { class: "hint" }, block.hint.text), error);
  });
  const read = () => Object.fromEntries(inputs.map(([id, read]) => [id, read()]).filter(([, value]) => value !== null));
  return [nodes.filter(Boolean), read];
}

function input(one, block, value) {
  const id = `in-${block.block_id}`;
  const required = !block.optional;
  switch (one.type) {
    case "plain_text_input": {
      const node = el(one.multiline ? "textarea" : "input", { id, required, maxLength: one.max_length ?? 3000, placeholder: one.placeholder?.text,
        ...(one.multiline ? {} : { type: "text" }) });
      node.value = value?.value ?? one.initial_value ?? "";
      return [node, () => node.value.trim() || null];
    }
    case "static_select": case "multi_static_select": {
      const multiple = one.type === "multi_static_select";
      const node = el("select", { id, required, multiple },
        !multiple && el("option", { value: "" }, one.placeholder?.text ?? "Choose…"),
        options(one).map((option) => el("option", { value: option.value }, option.text.text)));
      if (!multiple) node.value = value?.selected_option?.value ?? one.initial_option?.value ?? "";
      return [node, () => (multiple ? [...node.selectedOptions].map((option) => option.value) : node.value || null)];
    }
    case "radio_buttons": case "checkboxes": {
      const type = one.type === "radio_buttons" ? "radio" : "checkbox";
      const initial = new Set([value?.selected_option ?? one.initial_option, ...(value?.selected_options ?? one.initial_options ?? [])].filter(Boolean).map((option) => option.value));
      const boxes = options(one).map((option) => el("input", { type, name: id, value: option.value, checked: initial.has(option.value), required: required && type === "radio" }));
      const node = el("div", {}, boxes.map((box, index) => el("label", { class: "choice" }, box, options(one)[index].text.text)));
      return [node, () => {
        const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
        return type === "radio" ? (chosen[0] ?? null) : chosen;
      }];
    }
    default:
      return [el("p", { class: "quiet" }, `(${one.type})`), () => null];
  }
}
