#!/usr/bin/env bash
# Azure CLI's `az identity` and `az role` against a local Azure of its own, and who may do what then.
# No container runs.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

group=rights-clients-$$
role="Container group writer $$"

fail() {
  echo "rights.sh: $*" >&2
  exit 1
}

# expect WHAT ACTUAL EXPECTED
expect() {
  [[ $2 == "$3" ]] || fail "$1: got '$2', expected '$3'"
  echo "ok: $1"
}

# refused WHAT WORDS COMMAND...: the command fails, and says so.
refused() {
  local what=$1 words=$2 said
  shift 2
  said=$("$@" 2>&1) && fail "$what: '$*' is not refused"
  [[ $said == *"$words"* ]] || fail "$what: $said"
  echo "ok: $what"
}

# as_ci COMMAND...: as the client with the small role.
as_ci() {
  AZURE_CONFIG_DIR=$WORK/ci "$@"
}

start_local none
az cloud register -n LocalAzure --endpoint-resource-manager "$ACI_OPERATOR_RESOURCE_MANAGER_URL"
az cloud set -n LocalAzure
az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" \
  --tenant "$AZURE_TENANT_ID" -o none
az group create -n "$group" -l westeurope -o none
scope=/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$group

identity=$(az identity create -g "$group" -n mine --query id -o tsv)
client=$(az identity show -g "$group" -n mine --query clientId -o tsv)
principal=$(az identity show -g "$group" -n mine --query principalId -o tsv)
expect "identity list" "$(az identity list -g "$group" --query '[].name' -o tsv)" mine
until [[ $(az ad sp show --id "$client" --query servicePrincipalType -o tsv 2>"$WORK/log") == ManagedIdentity ]]; do
  sleep 0.2
done
echo "ok: an identity is a service principal"

az role assignment create --assignee "$client" --role Reader --scope "$scope" -o none
expect "an assignment twice is one" "$(az role assignment create --assignee-object-id "$principal" \
  --assignee-principal-type ServicePrincipal --role Reader --scope "$scope" --query principalId -o tsv)" "$principal"
expect "assignment list" "$(az role assignment list --scope "$scope" \
  --query '[].[roleDefinitionName,principalName]' -o tsv)" $'Reader\t'"$client"
expect "owner of the subscription" "$(az role assignment list --assignee "$AZURE_CLIENT_ID" \
  --scope "/subscriptions/$AZURE_SUBSCRIPTION_ID" --query '[].roleDefinitionName' -o tsv)" Owner
refused "an assignee that is not there" "Cannot find user or service principal" \
  az role assignment create --assignee nobody@example.com --role Reader --scope "$scope"

cat >"$WORK/role.json" <<JSON
{"Name": "$role", "Description": "Writes container groups.", "AssignableScopes": ["$scope"],
 "Actions": ["Microsoft.ContainerInstance/containerGroups/read",
             "Microsoft.ContainerInstance/containerGroups/write",
             "Microsoft.Resources/subscriptions/resourceGroups/read"]}
JSON
az role definition create --role-definition "$WORK/role.json" -o none
expect "role definition" "$(az role definition list --name "$role" --scope "$scope" \
  --query '[0].roleType' -o tsv)" CustomRole
secret=$(az ad sp create-for-rbac -n "ci-$$" --role "$role" --scopes "$scope" --query password -o tsv \
  2>"$WORK/log")
ci=$(az ad app list --display-name "ci-$$" --query '[0].appId' -o tsv)
refused "a role that is in use" RoleDefinitionHasAssignments \
  az role definition delete --name "$role" --scope "$scope"

as_ci az cloud register -n LocalAzure --endpoint-resource-manager "$ACI_OPERATOR_RESOURCE_MANAGER_URL"
as_ci az cloud set -n LocalAzure
as_ci az login --service-principal -u "$ci" -p "$secret" --tenant "$AZURE_TENANT_ID" -o none
create=(az container create -g "$group" -n web --image nginx --os-type Linux --cpu 1 --memory 1 -o none)
as_ci "${create[@]}"
expect "what the role gives" "$(as_ci az container list --query '[].name' -o tsv)" web
refused "what it does not" "does not have authorization to perform action 'Microsoft.ContainerInstance/containerGroups/delete'" \
  as_ci az container delete -g "$group" -n web --yes
refused "a role for oneself" "Microsoft.Authorization/roleAssignments/write" as_ci az role assignment create \
  --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal --role 8e3af657-a8ff-443c-a75c-2fe8c4bcb635 \
  --scope "$scope"
refused "somebody's identity" LinkedAuthorizationFailed \
  as_ci "${create[@]}" --assign-identity "$identity"
az role assignment create --assignee "$ci" --role "Managed Identity Operator" --scope "$identity" -o none
as_ci "${create[@]}" --assign-identity "$identity"
expect "identity of the group" "$(as_ci az container show -g "$group" -n web \
  --query 'identity.userAssignedIdentities.*.clientId' -o tsv)" "$client"
expect "refused so far" "$("$OPERATOR" local access -o json |
  python3 -c "import json, sys
for one in json.load(sys.stdin):
    if one['name'] == '$ci': print(len(one['refused']), sum(one['refused'].values()))")" "3 3"

# The directory is late with a new principal: az tries again.
own=$(az container create -g "$group" -n own --image nginx --os-type Linux --cpu 1 --memory 1 \
  --assign-identity --scope "$scope" --role Reader --query identity.principalId -o tsv 2>"$WORK/log")
expect "role of a group's own identity" "$(az role assignment list --scope "$scope" \
  --query "[?principalId=='$own'].roleDefinitionName" -o tsv)" Reader

az role assignment delete --assignee "$ci" --role "$role" --scope "$scope"
refused "what was taken away" AuthorizationFailed as_ci az container show -g "$group" -n web
az role definition delete --name "$role" --scope "$scope"
az identity delete -g "$group" -n mine
expect "identities after delete" "$(az identity list -g "$group" --query 'length(@)' -o tsv)" 0
