"""What `up` prints when everything answers."""

import sys
from pathlib import Path


def doors(target: str, http: str, rpc_url: str, logs: Path) -> str:
    """Return where everything answers, with lines to paste."""
    service = "order_engine.v1.OrderService"
    order = '{"token_in":"SOL","token_out":"USDC","amount_in":"1000000000"}'
    classic = '{"orderType":"market","tokenIn":"SOL","tokenOut":"USDC","amountIn":1}'
    buf = Path(sys.executable).with_name("buf")
    return f"""
serving
  gRPC       {target}   (reflection and health are on)
  HTTP       http://{http}
  Solana RPC {rpc_url}
  logs       {logs}

try
  {_relative(buf)} curl --protocol grpc --http2-prior-knowledge -d '{order}' http://{target}/{service}/SubmitOrder
  {_relative(buf)} curl --protocol grpc --http2-prior-knowledge -d '{{"order_id":"ID"}}' http://{target}/{service}/StreamOrderStatus
  grpcurl -plaintext -d '{order}' {target} {service}/SubmitOrder
  curl -s http://{http}/api/orders/execute -H 'content-type: application/json' -d '{classic}'
  npx wscat -c ws://{http}/api/orders/ID/stream
"""


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
