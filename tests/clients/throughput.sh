#!/usr/bin/env bash
# What the sidecar costs: signed-in requests to /me through it and past it, from the same client in the
# group's own network, in turns.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/engine.sh
. "$ROOT/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

SECONDS_EACH=${ACI_OPERATOR_TEST_THROUGHPUT_SECONDS:-4}
BOMBARDIER=$TARGET/tools/bin/bombardier

# rate URL: requests a second; every answer must be a 200.
rate() {
  as_root nsenter -t "$HOLDER" -n env SSL_CERT_FILE="$WORK/ca.pem" SSL_CERT_DIR=/nowhere \
    "$BOMBARDIER" -c 32 -d "${SECONDS_EACH}s" -t 10s -H "Authorization: Bearer $TOKEN" \
    -o json -p r "$1" >"$WORK/rate.json"
  python - "$WORK/rate.json" <<'PY'
import json, sys
result = json.load(open(sys.argv[1]))["result"]
bad = result["req1xx"] + result["req3xx"] + result["req4xx"] + result["req5xx"] + result["others"]
if bad or not result["req2xx"]:
    sys.exit(f"{bad} of {bad + result['req2xx']} requests failed")
print(f"{result['rps']['mean']:.0f}")
PY
}

[ -x "$BOMBARDIER" ] || GOBIN=${BOMBARDIER%/*} go install github.com/codesenberg/bombardier@v1.2.6
ensure_engine
start_local docker
"$OPERATOR" apply -f "$ROOT/manifests/samples" --wait --timeout 5m
"$OPERATOR" ca export >"$WORK/ca.pem"
TOKEN=$("$OPERATOR" token mon-api --user marie@example.com)
SIDECAR=$("$ENGINE" ps --format '{{.ID}} {{.Names}}' | awk '/aci-operator-tls/ { id = $1 } END { print id }')
HOLDER=$("$ENGINE" inspect --format '{{.State.Pid}}' "$SIDECAR")
direct=0 through=0
for _ in 1 2 3; do
  now=$(rate http://127.0.0.1:8000/me)
  direct=$((direct + now))
  now=$(rate https://localhost/me)
  through=$((through + now))
done
say "measured: /me direct $((direct / 3)) requests/s, through the sidecar $((through / 3)) requests/s: $((through * 100 / direct)) %"
