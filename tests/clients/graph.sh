#!/usr/bin/env bash
# Microsoft Graph's Python SDK against a local Azure of its own.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

start_local none
python "$ROOT/tests/clients/_graph.py"
