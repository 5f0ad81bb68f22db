#!/bin/sh
# Runs the unmodified JavaScript clients against a running bridge: scripts/classic_clients.sh [http://127.0.0.1:3000]
set -eu
cd "$(dirname "$0")/../examples/classic"
npm install --no-package-lock --no-audit --no-fund --silent
exec node order.mjs "${1:-http://127.0.0.1:${PORT:-3000}}"
