// Submits one order over gRPC and watches it to its end, through lost answers and broken streams.
// Exits 0 when the order was executed, 1 when it failed or was refused, 3 when the engine could not be reached.
//
//   node submit_and_watch.mjs [127.0.0.1:50051] [amount, 0.1] [pay, SOL] [buy, USDC]
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { load } from "@grpc/proto-loader";

const [target = "127.0.0.1:50051", amount = "0.1", pay = "SOL", buy = "USDC"] = process.argv.slice(2);
const patienceMs = 30_000; // how long an engine that is away is looked for
const { UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED } = grpc.status;
const away = new Set([UNAVAILABLE, DEADLINE_EXCEEDED]);
const cutOff = new Set([...away, RESOURCE_EXHAUSTED]); // we did not read for a while, as on a laptop that slept

// order_service.proto is all that is needed: google/api/annotations.proto, which it imports, comes with protobufjs.
async function connect() {
  const protobufjs = dirname(createRequire(import.meta.url).resolve("protobufjs/package.json"));
  const definition = await load("order_engine/v1/order_service.proto", {
    includeDirs: [fileURLToPath(new URL("../../protos", import.meta.url)), protobufjs],
    longs: String, // amounts are 64-bit: a JavaScript number cannot hold them all
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const { OrderService, TokenService } = grpc.loadPackageDefinition(definition).order_engine.v1;
  const options = { "grpc.keepalive_time_ms": 20_000, "grpc.max_reconnect_backoff_ms": 1_000 };
  const credentials = grpc.credentials.createInsecure();
  return {
    orders: new OrderService(target, credentials, options),
    tokens: new TokenService(target, credentials, options),
  };
}

// Calls, and repeats while the engine is away. Only for what may be repeated: reads, and orders with a requestId.
async function call(client, method, request) {
  const giveUp = Date.now() + patienceMs;
  for (;;) {
    try {
      return await new Promise((resolve, reject) => {
        const answer = (error, reply) => (error ? reject(error) : resolve(reply));
        client[method](request, { deadline: Date.now() + 5_000 }, answer);
      });
    } catch (error) {
      if (!away.has(error.code) || Date.now() > giveUp) throw error;
      console.log(`     ${grpc.status[error.code]}, asking again`);
      await pause(500);
    }
  }
}

// Yields every update once and in order. The stream ends by itself after the last; a broken one is resumed.
async function* watch(orders, orderId) {
  let sequence = "0";
  let giveUp = Date.now() + patienceMs;
  for (;;) {
    try {
      for await (const update of orders.streamOrderStatus({ orderId, afterSequence: sequence })) {
        sequence = update.sequence;
        giveUp = Date.now() + patienceMs;
        yield update;
      }
      return;
    } catch (error) {
      if (!cutOff.has(error.code) || Date.now() > giveUp) throw error;
      console.log(`     ${grpc.status[error.code]}, resuming after ${sequence}`);
      await pause(500);
    }
  }
}

function baseUnits(text, { symbol, decimals }) {
  const [, whole, fraction = ""] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined || fraction.length > decimals) throw new Error(`${text} is no amount of ${symbol}`);
  return BigInt(whole + fraction.padEnd(decimals, "0")).toString();
}

function tokens(units, { symbol, decimals }) {
  const digits = units.padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}${decimals ? `.${digits.slice(point)}` : ""} ${symbol}`;
}

// Names the venues: those with " + " between them share a hop, ", then" begins the next one.
function pools({ legs }) {
  let told = "";
  for (const [at, { venue, tokenIn, tokenOut }] of legs.entries()) {
    const before = legs[at - 1];
    if (before) told += before.tokenIn === tokenIn && before.tokenOut === tokenOut ? " + " : ", then ";
    told += venue;
  }
  return told;
}

function describe(update, paid, bought) {
  const { route, transaction, fill, failure, retry } = update;
  switch (update.detail) {
    case "route":
      return `${pools(route)} quotes ${tokens(route.amountOut, bought)}, at least ${tokens(route.minAmountOut, bought)}`;
    case "transaction":
      return transaction.signature;
    case "fill":
      return `${tokens(fill.amountIn, paid)} for ${tokens(fill.amountOut, bought)}, fee ${fill.feeLamports} lamports`;
    case "failure":
      return `${failure.reason}: ${failure.message}`;
    case "retry":
      return `attempt ${update.attempt} failed, the next one follows: ${retry.cause.message}`;
    default:
      return "";
  }
}

async function main() {
  const engine = await connect();
  const paid = await call(engine.tokens, "getToken", { token: pay });
  const bought = await call(engine.tokens, "getToken", { token: buy });
  const { orderId } = await call(engine.orders, "submitOrder", {
    requestId: randomUUID(), // chosen once, before the first try: however often it is sent, it is one order
    tokenIn: paid.mint,
    tokenOut: bought.mint,
    amountIn: baseUnits(amount, paid),
  });
  console.log(`order ${orderId}`);
  let status;
  for await (const update of watch(engine.orders, orderId)) {
    status = update.status.replace("ORDER_STATUS_", "").toLowerCase();
    console.log(`${update.sequence.padStart(3)}  ${status.padEnd(10)} ${describe(update, paid, bought)}`.trimEnd());
  }
  return status === "confirmed" ? 0 : 1;
}

main().then(
  (exit) => process.exit(exit),
  (error) => {
    console.error(error.code === undefined ? error.message : `${grpc.status[error.code]}: ${error.details}`);
    process.exit(away.has(error.code) ? 3 : 1);
  },
);
