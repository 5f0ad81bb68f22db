// The page: reads the form, shows the order. How to talk to the engine is in order-client.js.
import { EventWatcher, SocketWatcher, call, submit } from "./order-client.js";

const asked = new URLSearchParams(location.search);
const form = document.forms.order;
const fields = form.elements;
const find = (id) => document.getElementById(id);
const status = (update) => update.status.replace("ORDER_STATUS_", "").toLowerCase();
const base = () => fields.engine.value.trim().replace(/\/$/, "");

const tokens = new Map(); // by mint
let watcher;

// Amounts are integers in base units and come as strings: a JavaScript number cannot hold them all.
function baseUnits(text, { symbol, decimals }) {
  const [whole, fraction = ""] = text.split(".");
  if (fraction.length > decimals) throw new Error(`${symbol} has ${decimals} decimals`);
  return BigInt(whole + fraction.padEnd(decimals, "0")).toString();
}

function shown(units, mint) {
  const { symbol, decimals } = tokens.get(mint) ?? { symbol: `${mint.slice(0, 8)}…`, decimals: 0 };
  const digits = units.padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  const fraction = digits.slice(point).replace(/0+$/, "");
  return `${digits.slice(0, point)}${fraction && `.${fraction}`} ${symbol}`;
}

// Names the venues: those with " + " between them share a hop, ", then" begins the next one.
function venues({ legs }) {
  let told = "";
  for (const [at, { venue, tokenIn, tokenOut }] of legs.entries()) {
    const before = legs[at - 1];
    if (before) told += before.tokenIn === tokenIn && before.tokenOut === tokenOut ? " + " : ", then ";
    told += venue.replaceAll("+", " + ").replaceAll(">", ", then "); // what could not be quoted is one leg: "a>b+c"
  }
  return told;
}

function facts(update, order) {
  const { route, transaction, fill, failure, retry, cancelRequested } = update;
  if (route) {
    const least = shown(route.minAmountOut, order.tokenOut);
    return [`${venues(route)} quotes ${shown(route.amountOut, order.tokenOut)}`, `at least ${least}, enforced on chain`];
  }
  if (transaction) return ["recorded, then sent", transaction.signature];
  if (fill) {
    const swapped = `${shown(fill.amountIn, order.tokenIn)} for ${shown(fill.amountOut, order.tokenOut)}`;
    return [swapped, `slot ${fill.slot}, network fee ${fill.feeLamports} lamports`];
  }
  if (failure) return [failure.message || failure.reason, failure.reason];
  if (retry) return [`attempt ${update.attempt} failed, the next one follows`, retry.cause.message];
  if (cancelRequested) return ["cancel requested"];
  return [{ pending: "stored durably", routing: "asking every venue" }[status(update)] ?? ""];
}

function element(tag, text, className = "") {
  return Object.assign(document.createElement(tag), { textContent: text, className });
}

function showUpdate(update, order) {
  const item = element("li", "", status(update));
  item.dataset.sequence = update.sequence;
  const seconds = (Date.parse(update.eventTime) - Date.parse(order.createTime)) / 1000;
  const told = element("div", "", "facts");
  told.append(...facts(update, order).map((fact) => element("div", fact)));
  item.append(element("b", status(update)), told, element("span", `${seconds.toFixed(3)} s`, "time"));
  find("timeline").append(item);
  if (update.route) showCandidates(told, update, order).catch(console.warn);
}

async function showCandidates(told, { attempt }, order) {
  const { attempts } = await call(base(), `/v1/orders/${order.orderId}:explain`);
  const table = element("table", "");
  for (const { route, chosen, netAmountOut, rejectReason } of attempts.find(({ number }) => number === attempt).candidates) {
    const row = element("tr", "", chosen ? "chosen" : "");
    const net = rejectReason ? "" : shown(netAmountOut, order.tokenOut);
    row.append(element("td", venues(route)), element("td", net), element("td", chosen ? "chosen" : rejectReason || "pays less"));
    table.append(row);
  }
  told.append(table);
}

function showState(text, className) {
  Object.assign(find("state"), { textContent: text, className });
}

function watch(order) {
  watcher?.close();
  find("life").hidden = false;
  find("timeline").replaceChildren();
  find("title").textContent = `${shown(order.amountIn, order.tokenIn)} to ${tokens.get(order.tokenOut)?.symbol ?? order.tokenOut}`;
  find("id").textContent = order.orderId;
  history.replaceState(null, "", `#${order.orderId}`); // a reload shows the same order
  const Watcher = fields.watcher.value === "socket" ? SocketWatcher : EventWatcher;
  watcher = new Watcher(base(), order.orderId, {
    update: (update) => showUpdate(update, order),
    state: (name, sequence) => showState(name === "lost" ? `lost, resuming after ${sequence}` : name, name),
    end: (error) => showState(error ? error.message : "complete", error ? "refused" : "complete"),
  });
}

async function attempt(work) {
  find("problem").textContent = "";
  form.querySelector("button").disabled = true;
  try {
    await work();
  } catch (error) {
    find("problem").textContent = error.message;
  }
  form.querySelector("button").disabled = false;
}

async function loadTokens() {
  const listed = (await call(base(), "/v1/tokens", undefined, 2_000)).tokens;
  tokens.clear();
  for (const token of listed) tokens.set(token.mint, token);
  for (const [field, preferred] of [[fields.pay, "SOL"], [fields.buy, "USDC"]]) {
    field.replaceChildren(...listed.map(({ symbol, mint }) => new Option(symbol, mint, false, symbol === preferred)));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { order } = await submit(base(), {
      tokenIn: fields.pay.value,
      tokenOut: fields.buy.value,
      amountIn: baseUnits(fields.amount.value, tokens.get(fields.pay.value)),
      slippageBps: Math.round(Number(fields.slippage.value) * 100),
    });
    watch(order);
  });
});
fields.engine.addEventListener("change", () => attempt(loadTokens));

fields.engine.value = asked.get("engine") ?? "http://127.0.0.1:3000";
if (asked.has("watcher")) fields.watcher.value = asked.get("watcher");
attempt(async () => {
  await loadTokens();
  if (location.hash) watch(await call(base(), `/v1/orders/${location.hash.slice(1)}`));
});
