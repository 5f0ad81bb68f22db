// Orders from a web page: submit with fetch, watch with EventSource or WebSocket. Copy this file, it needs nothing else.
//
// A watcher calls `listener.update(update)` once for each update, in order, through every break;
// `listener.state(text, sequence)` with "connecting", "live" or "lost"; and `listener.end(error?)` once, at the end.

const TERMINAL = /_(CONFIRMED|FAILED|CANCELLED|EXPIRED)$/;
const PATIENCE_MS = 30_000; // how long an engine that is away is asked again for one answer
const PAUSE_MS = 500;
const FINAL_CLOSE_CODES = [4400, 4401, 4403, 4404];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A refusal. `reason` is stable, for programs; the message is for people. */
export class Refused extends Error {
  constructor(body, status) {
    super(body.message ?? body.error ?? `HTTP ${status}`);
    this.reason = (body.details ?? []).find((detail) => detail.reason)?.reason;
  }
}

/** Fetch JSON, and ask again while the engine is away: only for what may be repeated. */
export async function call(base, path, body, patienceMs = PATIENCE_MS) {
  const headers = body && { "Content-Type": "application/json" };
  const giveUp = Date.now() + patienceMs;
  for (;;) {
    try {
      const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) };
      const response = await fetch(base + path, { ...options, signal: AbortSignal.timeout(10_000) });
      if (response.ok) return await response.json();
      const refused = new Refused(await response.json(), response.status);
      if (response.status !== 503) throw refused;
      if (Date.now() > giveUp) throw refused;
    } catch (error) {
      if (error instanceof Refused) throw error;
      if (Date.now() > giveUp) throw new Error(`no answer from ${base || location.origin} that this page may read`);
    }
    await pause(PAUSE_MS);
  }
}

/** Place an order. The requestId is chosen once: however often it is sent, it is one order. */
export function submit(base, order) {
  return call(base, "/v1/orders", { ...order, requestId: requestId() });
}

// crypto.randomUUID exists on https and localhost only.
function requestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

class Watcher {
  constructor(base, orderId, listener) {
    Object.assign(this, { base, orderId, listener, sequence: 0, ended: false });
    this.open();
  }

  get path() {
    return `/v1/orders/${this.orderId}/stream?after_sequence=${this.sequence}`;
  }

  /** A frame is {result} or {error}; returns the error. */
  frame(text) {
    const { result, error } = JSON.parse(text);
    if (error) return error;
    this.sequence = Number(result.sequence);
    this.listener.update(result);
    if (TERMINAL.test(result.status)) this.end();
  }

  lost() {
    this.listener.state("lost", this.sequence);
  }

  end(error) {
    if (this.ended) return;
    this.close();
    this.listener.end(error);
  }

  close() {
    this.ended = true;
    this.disconnect();
  }
}

/** EventSource comes back by itself, with Last-Event-ID, when a connection broke; it gives up on any HTTP error. */
export class EventWatcher extends Watcher {
  open() {
    this.listener.state("connecting", this.sequence);
    this.source = new EventSource(this.base + this.path);
    this.source.onopen = () => this.listener.state("live", this.sequence);
    this.source.onmessage = ({ data }) => {
      const error = this.frame(data);
      if (error) this.end(new Refused(error));
    };
    this.source.onerror = () => {
      this.lost();
      if (this.source.readyState === EventSource.CLOSED) this.findOut();
    };
  }

  /** It does not say what the HTTP error was. Ask, then either end with the reason or watch on. */
  async findOut() {
    try {
      await call(this.base, `/v1/orders/${this.orderId}`);
      await pause(PAUSE_MS);
      if (!this.ended) this.open();
    } catch (error) {
      this.end(error);
    }
  }

  disconnect() {
    this.source.close();
  }
}

/** A WebSocket never comes back by itself: open another after the last sequence, unless its close code is final. */
export class SocketWatcher extends Watcher {
  open() {
    this.listener.state("connecting", this.sequence);
    const url = new URL(this.base + this.path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    let refused;
    this.socket = new WebSocket(url);
    this.socket.onopen = () => this.listener.state("live", this.sequence);
    this.socket.onmessage = ({ data }) => (refused = this.frame(data));
    this.socket.onclose = async ({ code }) => {
      if (this.ended) return;
      if (FINAL_CLOSE_CODES.includes(code)) return this.end(new Refused(refused ?? {}, code));
      this.lost();
      await pause(PAUSE_MS);
      if (!this.ended) this.open();
    };
  }

  disconnect() {
    this.socket.close();
  }
}
