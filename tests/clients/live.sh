#!/usr/bin/env bash
# `aci-operator get --live` beside `az container list`: whole processes, one server.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

# median TIMES COMMAND...: microseconds of the median run.
median() {
  local times=$1 from to
  shift
  for _ in $(seq "$times"); do
    from=${EPOCHREALTIME/[.,]/}
    "$@" >"$WORK/out"
    to=${EPOCHREALTIME/[.,]/}
    echo $((to - from))
  done | sort -n | sed -n "$(((times + 1) / 2))p"
}

start_local none
mkdir "$WORK/manifests"
cat >"$WORK/manifests/app.yaml" <<'YAML'
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup
metadata: {name: app}
spec:
  resourceGroup: live
  location: westeurope
  containers:
  - name: web
    image: registry.example.org/web:1
    resources: {requests: {cpu: 1, memoryInGB: 1}}
YAML
"$OPERATOR" apply -f "$WORK/manifests"
az cloud register -n LocalAzure --endpoint-resource-manager "$ACI_OPERATOR_RESOURCE_MANAGER_URL"
az cloud set -n LocalAzure
az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" \
  --tenant "$AZURE_TENANT_ID" -o none

ours=$(median 21 "$OPERATOR" get --live)
grep -q app "$WORK/out"
theirs=$(median 5 az container list -o table)
grep -q app "$WORK/out"
say "measured: get --live $((ours / 1000)) ms, az container list $((theirs / 1000)) ms (medians): $((theirs / ours)) times faster"
