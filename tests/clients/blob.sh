#!/usr/bin/env bash
# Storage accounts and blobs by Azure's Python SDKs and Azure CLI, against a local Azure of its own.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"
# shellcheck source=scripts/lib/azurite.sh
. "$ROOT/scripts/lib/azurite.sh"

group=storage-clients-$$
account=storage$$

fail() {
  echo "blob.sh: $*" >&2
  exit 1
}

# expect WHAT ACTUAL EXPECTED
expect() {
  [[ $2 == "$3" ]] || fail "$1: got '$2', expected '$3'"
  echo "ok: $1"
}

# The commands with which somebody makes the containers of a home.
by_az() {
  local scope endpoint=()
  az cloud register -n LocalAzure --endpoint-resource-manager "$ACI_OPERATOR_RESOURCE_MANAGER_URL"
  az cloud set -n LocalAzure
  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" \
    --tenant "$AZURE_TENANT_ID" -o none
  az group create -n "$group" -l westeurope -o none
  expect "account" "$(az storage account create -g "$group" -n "$account" -l westeurope \
    --sku Standard_LRS --kind StorageV2 --min-tls-version TLS1_2 --allow-shared-key-access false \
    --query provisioningState -o tsv)" Succeeded
  expect "name taken" \
    "$(az storage account check-name -n "$account" --query reason -o tsv)" AlreadyExists
  az storage account blob-service-properties update -g "$group" -n "$account" \
    --enable-versioning true -o none
  az storage account management-policy create -g "$group" --account-name "$account" -o none \
    --policy '{"rules": [{"name": "old", "type": "Lifecycle", "definition": {
      "filters": {"blobTypes": ["blockBlob"]},
      "actions": {"version": {"delete": {"daysAfterCreationGreaterThan": 30}}}}}]}'
  az storage container-rm create -g "$group" --storage-account "$account" -n home -o none
  scope=$(az storage account show -g "$group" -n "$account" --query id -o tsv)
  az role assignment create --assignee "$AZURE_CLIENT_ID" -o none \
    --role 'Storage Blob Data Contributor' --scope "$scope/blobServices/default/containers/home"
  endpoint=(--auth-mode login -c home --blob-endpoint
    "$(az storage account show -g "$group" -n "$account" --query primaryEndpoints.blob -o tsv)")
  az storage blob upload "${endpoint[@]}" -n manifests/a.yaml --data 'kind: Issuer' -o none
  expect "blob list" \
    "$(az storage blob list "${endpoint[@]}" --query '[].name' -o tsv)" manifests/a.yaml
  az storage account delete -g "$group" -n "$account" -y
  expect "deleted" "$(az storage account list -g "$group" --query 'length(@)' -o tsv)" 0
}

ensure_azurite
start_local none
export ACI_OPERATOR_BIN=$OPERATOR
python "$ROOT/tests/clients/_blob.py"
by_az
