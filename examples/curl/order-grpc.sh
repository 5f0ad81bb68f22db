#!/bin/sh
# One order over gRPC with buf curl, which learns the contract from the server by reflection.
# buf comes with the project's virtual environment (make setup), or from https://buf.build/docs/cli
#
#   sh order-grpc.sh [http://127.0.0.1:50051]
set -eu
engine=${1:-http://127.0.0.1:50051}
ours=$(dirname "$0")/../../.venv/bin/buf
if [ -x "$ours" ]; then buf=$ours; else buf=buf; fi

rpc() { "$buf" curl --protocol grpc --http2-prior-knowledge -d "$2" "$engine/order_engine.v1.$1"; }
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; }
key() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

echo "--- what would 0.1 SOL buy now?"
rpc QuoteService/GetQuote '{"token_in":"SOL","token_out":"USDC","amount_in":"100000000"}' | field netAmountOut

echo "--- submit; sent twice, because the same request_id is the same order"
order="{\"request_id\":\"$(key)\",\"token_in\":\"SOL\",\"token_out\":\"USDC\",\"amount_in\":\"100000000\"}"
order_id=$(rpc OrderService/SubmitOrder "$order" | field orderId)
: "${order_id:?the order was not accepted}"
[ "$(rpc OrderService/SubmitOrder "$order" | field orderId)" = "$order_id" ]
echo "$order_id"

echo "--- follow it to its end"
rpc OrderService/StreamOrderStatus "{\"order_id\":\"$order_id\"}"

echo "--- the same again, only what came after the third update"
rpc OrderService/StreamOrderStatus "{\"order_id\":\"$order_id\",\"after_sequence\":\"3\"}"

echo "--- how it ended"
rpc OrderService/GetOrder "{\"order_id\":\"$order_id\"}" | grep ORDER_STATUS_CONFIRMED
