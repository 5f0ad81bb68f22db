// Places an order over the classic HTTP API with fetch, watches it with the npm `ws` package, and checks every answer
// against what the API promises. Exits 0 when the order was confirmed and every promise held, 1 otherwise,
// 3 when the server could not be reached.
//
//   node order.mjs [http://127.0.0.1:3000]
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

const base = (process.argv[2] ?? "http://127.0.0.1:3000").replace(/\/$/, "");
const order = { orderType: "market", tokenIn: "SOL", tokenOut: "USDC", amountIn: 0.01, slippage: 0.01 };
const next = {
  pending: ["routing", "failed"],
  routing: ["building", "pending", "failed"],
  building: ["submitted", "pending", "failed"],
  submitted: ["confirmed", "pending", "failed"],
};

async function call(method, path, body, headers = {}) {
  const response = await fetch(base + path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : body && JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

function watch(path) {
  return new Promise((resolve, reject) => {
    const frames = [];
    const socket = new WebSocket(base.replace(/^http/, "ws") + path);
    const tooLong = setTimeout(() => reject(new Error("the order did not end within two minutes")), 120_000);
    socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false, "frames are text");
      frames.push({ text: data.toString(), ...JSON.parse(data) });
    });
    socket.on("close", (code) => (clearTimeout(tooLong), resolve({ frames, code })));
    socket.on("unexpected-response", (_, response) => (clearTimeout(tooLong), resolve({ refused: response.statusCode })));
    socket.on("error", (error) => (clearTimeout(tooLong), reject(error)));
  });
}

function checkFrames(orderId, { frames, code }) {
  assert.equal(code, 1000, "the stream closes with 1000");
  assert.equal(frames[0]?.message, "Connected - streaming status updates");
  assert.equal(frames[0].status, "pending");
  for (const [index, frame] of frames.entries()) {
    assert.equal(frame.orderId, orderId);
    assert.ok(frame.message, "every frame has a message");
    assert.equal(new Date(frame.timestamp).toISOString(), frame.timestamp);
    if (index > 0) {
      assert.ok(next[frames[index - 1].status].includes(frame.status), `${frames[index - 1].status} → ${frame.status}`);
    }
    if (index > 0 && frame.status === "pending") {
      assert.equal(typeof frame.data.attempt, "number");
      assert.ok(frame.data.error, "a retry says why");
    }
    if (frame.status === "building") assert.match(frame.data.dexUsed, /^(raydium|meteora)$/);
  }
}

function checkEnd({ status, data }) {
  if (status === "failed") throw new Error(`the order failed: ${data.error} (${data.attempts} of ${data.maxAttempts})`);
  assert.equal(status, "confirmed");
  assert.match(data.txHash, /^[1-9A-HJ-NP-Za-km-z]{64,88}$/);
  assert.match(data.dexUsed, /^(raydium|meteora)$/);
  assert.equal(typeof data.executedPrice, "number");
  assert.equal(typeof data.amountOut, "number");
  assert.ok(Math.abs(data.amountOut / order.amountIn / data.executedPrice - 1) < 1e-9, "price = out / in");
}

function checkOrder(orderId, last, { status, body }) {
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body), [
    "order_id", "order_type", "token_in", "token_out", "amount_in", "slippage", "status", "dex_used",
    "executed_price", "amount_out", "tx_hash", "error", "created_at", "updated_at",
  ]);
  const { order_id, order_type, token_in, token_out, amount_in, slippage } = body;
  assert.deepEqual(
    { order_id, order_type, token_in, token_out, amount_in, slippage },
    { order_id: orderId, order_type: "market", token_in: "SOL", token_out: "USDC", amount_in: "0.010000000", slippage: "0.0100" },
  );
  assert.equal(body.status, last.status);
  assert.equal(body.tx_hash, last.data.txHash);
  assert.equal(Number(body.amount_out), last.data.amountOut);
  assert.equal(Number(body.executed_price), last.data.executedPrice);
}

async function checkRefusals() {
  const refused = async (body) => (await call("POST", "/api/orders/execute", body)).body.error;
  assert.equal(await refused({}), "Missing required fields: tokenIn, tokenOut, amountIn");
  assert.equal(await refused({ ...order, orderType: "limit" }), "Only market orders are supported in this implementation");
  assert.equal(await refused({ ...order, amountIn: -1 }), "Amount must be greater than 0");
  assert.match(await refused({ ...order, tokenOut: "NOPE" }), /tokenOut/);
  assert.match(await refused({ ...order, slippage: 0.6 }), /slippage/);
  assert.match(await refused("not JSON"), /body/);
  const unknown = `/api/orders/${randomUUID()}`;
  assert.deepEqual(await call("GET", unknown), { status: 404, body: { error: "Order not found" } });
  assert.deepEqual(await watch(`${unknown}/stream`), { refused: 404 });
}

async function main() {
  const health = await call("GET", "/api/health");
  assert.equal(health.status, 200);
  assert.equal(health.body.status, "ok");
  await checkRefusals();

  const key = { "Idempotency-Key": randomUUID() };
  const placed = await call("POST", "/api/orders/execute", order, key);
  const { orderId, websocketUrl } = placed.body;
  assert.deepEqual(placed, {
    status: 201,
    body: {
      orderId,
      message: "Order created successfully",
      websocketUrl: `/api/orders/${orderId}/stream`,
      instructions: "Connect to WebSocket URL to receive real-time status updates",
    },
  });
  const repeated = await call("POST", "/api/orders/execute", order, key);
  assert.equal(repeated.body.orderId, orderId, "the same Idempotency-Key is the same order");
  const conflict = await call("POST", "/api/orders/execute", { ...order, amountIn: 0.02 }, key);
  assert.equal(conflict.status, 409);

  const live = await watch(websocketUrl);
  for (const { text } of live.frames) console.log(text);
  checkFrames(orderId, live);
  const last = live.frames.at(-1);
  checkEnd(last);
  checkOrder(orderId, last, await call("GET", `/api/orders/${orderId}`));
  assert.deepEqual(await watch(websocketUrl), live, "a late watcher hears the same from the beginning");
  console.log("every promise of the classic API held");
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = error.cause?.code === "ECONNREFUSED" ? 3 : 1;
});
