#!/usr/bin/env bash
# The Bicep file and the Terraform module make what `install azure` makes. Bicep is parsed by a grammar of
# it, not compiled; the module is evaluated by OpenTofu, without a provider.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/azurite.sh
. "$ROOT/scripts/lib/azurite.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"
# shellcheck source=scripts/lib/opentofu.sh
. "$ROOT/scripts/lib/opentofu.sh"

ensure_azurite
ensure_opentofu
start_local none

# Somebody's identity, a reader and a writer: ids are enough for a plan.
identity=/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/web/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app
azure() {
  "$OPERATOR" install azure -g operators -l westeurope --manage web --manage jobs \
    --image registry.example/aci-operator@sha256:00 "$@"
}
azure --self-update --yes 2>/dev/null >&2
azure --self-update --identity "$identity" --reader 6f0b9f5c-0000-4000-8000-000000000002 \
  --writer 6f0b9f5c-0000-4000-8000-000000000005 -o json >"$WORK/plan.json"

"$TOFU" fmt -check -diff "$ROOT/deploy/azure/terraform"
python3 "$ROOT/tests/clients/_provision.py" "$WORK/plan.json" "$TOFU" "$ROOT/deploy/azure" "$WORK" "$identity"
