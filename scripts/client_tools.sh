#!/bin/sh
# Makes sure that what `make clients` needs is there: Node 20, npm, curl and Chromium. As root on Debian or Ubuntu it
# installs curl and Chromium when they are missing; everything else that is missing is named, and the exit status is 1.
set -eu
chromium=${CHROMIUM:-/usr/bin/chromium}

missing=""
command -v curl >/dev/null || missing="$missing curl"
[ -x "$chromium" ] || missing="$missing chromium"
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing:$missing"
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

failed=0
lacks() {
  echo "missing: $1" >&2
  failed=1
}
command -v curl >/dev/null || lacks "curl (Debian's package curl)"
[ -x "$chromium" ] || lacks "$chromium (Debian's package chromium; elsewhere, name the browser in CHROMIUM)"
command -v npm >/dev/null || lacks "npm (comes with Node.js)"
if command -v node >/dev/null; then
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ] || lacks "Node.js 20 or newer (this is $(node --version))"
else
  lacks "Node.js 20 or newer (https://nodejs.org)"
fi
exit "$failed"
