#!/usr/bin/env bash
# sslyze, with Mozilla's "intermediate", against the sidecar of manifests/samples.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

start_local docker
printf %s hello | "$OPERATOR" secret set demo greeting
"$OPERATOR" apply -f "$ROOT/manifests/samples" --timeout 5m
"$OPERATOR" ca export >"$WORK/ca.pem"
ip=$("$OPERATOR" get app-with-ssl -o json | python -c 'import json, sys; print(json.load(sys.stdin)["status"]["ip"])')
python "$ROOT/tests/clients/_mozilla_intermediate.py" "$ip:443" "$WORK/ca.pem"
