#!/bin/sh
# One order each way, with nothing but curl: the classic HTTP API and lines of JSON, then /v1 and server-sent events.
# Exits 0 when both orders were executed, 1 when one failed or was refused, 3 when the engine could not be reached.
#
#   sh order.sh [http://127.0.0.1:3000]
set -eu
engine=${1:-http://127.0.0.1:3000}
received=$(mktemp)
trap 'rm -f "$received"' EXIT

# Repeats while the engine is away. Only for what may be repeated: reads, and orders with a key, which stay one order.
send() { curl -sS --fail-with-body --retry 10 --retry-connrefused --retry-delay 1 --retry-max-time 30 "$@"; }
key() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Places an order: path, JSON, further options of curl. Leaves its id in $order_id.
place() {
  path=$1 json=$2
  shift 2
  reply=$(send --max-time 10 "$engine$path" -H 'Content-Type: application/json' -d "$json" "$@") || refused "$?" "$reply"
  order_id=$(printf '%s' "$reply" | grep -o '"orderId":"[^"]*"' | head -n 1 | cut -d '"' -f 4)
}

refused() {
  printf '%s\n' "$2" >&2
  if [ "$1" = 22 ]; then exit 1; else exit 3; fi # 22: the engine answered with an error
}

lines_after() { send -N "$engine/v1/orders/$order_id/stream?after_sequence=$1"; }
events_after() { send -N "$engine/v1/orders/$order_id/stream" -H 'Accept: text/event-stream' -H "Last-Event-ID: $1"; }

# Follows $order_id to its end, as lines_after or events_after. A stream that broke is resumed after its last sequence.
follow() {
  : >"$received"
  give_up=$(($(date +%s) + 120))
  until grep -q -E '_(CONFIRMED|FAILED|CANCELLED|EXPIRED)"' "$received"; do
    last=$(sed -n 's/.*"sequence":"\([0-9]*\)".*/\1/p' "$received" | tail -n 1)
    "$1" "${last:-0}" | tee -a "$received"
    ! grep -q '^{"code":' "$received" || exit 1 # refused: already shown
    [ "$(date +%s)" -lt "$give_up" ] || exit 3
  done
  grep -q ORDER_STATUS_CONFIRMED "$received" || exit 1
}

echo "--- classic: place an order in whole tokens, ask how it is"
place /api/orders/execute '{"orderType":"market","tokenIn":"SOL","tokenOut":"USDC","amountIn":0.1}' \
  -H "Idempotency-Key: $(key)"
send "$engine/api/orders/$order_id"
echo

echo "--- v1: follow it as lines of JSON"
follow lines_after

echo "--- v1: place an order in base units: 100000000 lamports"
place /v1/orders "{\"requestId\":\"$(key)\",\"tokenIn\":\"SOL\",\"tokenOut\":\"USDC\",\"amountIn\":\"100000000\"}"
echo "$order_id"

echo "--- v1: follow it as server-sent events"
follow events_after

echo "--- v1: why it went that way"
send "$engine/v1/orders/$order_id:explain"
echo
