#!/usr/bin/env bash
# Azure's Python SDKs for storage, and Azure CLI, against a local Azure of its own.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"
# shellcheck source=scripts/lib/azurite.sh
. "$ROOT/scripts/lib/azurite.sh"

ensure_azurite
start_local none
export ACI_OPERATOR_BIN=$OPERATOR
python "$ROOT/tests/clients/_blob.py"
