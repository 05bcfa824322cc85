#!/usr/bin/env bash
# Azure CLI against a local Azure of its own, with the tutorial's own YAML; and its `az ad`.
# Containers really run, from the sample images; ACI_OPERATOR_ENGINE=none tries all but exec and HTTPS.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

here=$ROOT/tests/clients
engine=${ACI_OPERATOR_ENGINE:-docker}
export SIDECAR_IMAGE=localhost/aci-operator/sidecar:local
export APP_IMAGE=localhost/aci-operator/sample-api:local
group=az-clients-$$
name=app-with-ssl

fail() {
  echo "az.sh: $*" >&2
  exit 1
}

# expect WHAT ACTUAL EXPECTED
expect() {
  [[ $2 == "$3" ]] || fail "$1: got '$2', expected '$3'"
  echo "ok: $1"
}

show() {
  az container show -g "$group" -n "$name" --query "$1" -o tsv
}

secrets() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$WORK/ssl.key" -out "$WORK/ssl.crt" 2>"$WORK/log"
  cat >"$WORK/nginx.conf" <<'CONF'
events {}
http {
  server {
    listen 443 ssl;
    ssl_certificate /etc/nginx/ssl.crt;
    ssl_certificate_key /etc/nginx/ssl.key;
    location / { proxy_pass http://localhost:8000; }
  }
}
CONF
  SSL_CRT=$(base64 -w0 <"$WORK/ssl.crt")
  SSL_KEY=$(base64 -w0 <"$WORK/ssl.key")
  NGINX_CONF=$(base64 -w0 <"$WORK/nginx.conf")
  export SSL_CRT SSL_KEY NGINX_CONF
}

sign_in() {
  az cloud register -n LocalAzure --endpoint-resource-manager "$ACI_OPERATOR_RESOURCE_MANAGER_URL"
  az cloud set -n LocalAzure
  local refused
  refused=$(az login --service-principal -u "$AZURE_CLIENT_ID" -p wrong --tenant "$AZURE_TENANT_ID" \
    2>&1 || true)
  [[ $refused == *AADSTS7000215* ]] || fail "a wrong secret is not refused: $refused"
  echo "ok: a wrong secret is refused"
  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" \
    --tenant "$AZURE_TENANT_ID" -o none
  expect "subscription" "$(az account show --query id -o tsv)" "$AZURE_SUBSCRIPTION_ID"
}

# eventually COMMAND...: repeats it until what it asks for shows; Graph's reads are late.
eventually() {
  until "$@" 2>"$WORK/log"; do
    grep -q 'does not exist\|does not reference' "$WORK/log" || fail "$* said: $(cat "$WORK/log")"
    sleep 0.2
  done
}

# Both applications of a protected API, as an administrator would make them by hand.
registrations() {
  local api page title="ad-clients-$$" one
  api=$(az ad app create --display-name "$title" --sign-in-audience AzureADMyOrg \
    --web-redirect-uris http://localhost:8000 --requested-access-token-version 2 --query appId -o tsv)
  eventually az ad app show --id "$api" -o none
  expect "app list" "$(az ad app list --display-name "$title" --query '[].appId' -o tsv)" "$api"
  az ad app update --id "$api" --identifier-uris "api://$api"
  until [[ $(az ad app show --id "$api" --query 'identifierUris[0]' -o tsv) == "api://$api" ]]; do
    sleep 0.2
  done
  echo "ok: app update"
  one=$(az ad app show --id "api://$api" --query id -o tsv)
  az rest --method PATCH --url "$ACI_OPERATOR_GRAPH_URL/v1.0/applications/$one" --body '{"api":
    {"oauth2PermissionScopes": [{"id": "6f1f9cf0-5d3f-4b7c-9d2c-6c1f3c3a6a01", "isEnabled": true,
    "value": "user_impersonation", "type": "User", "adminConsentDisplayName": "Access",
    "adminConsentDescription": "Access as the user"}]}}'
  [[ $(az ad app credential reset --id "$api" --append --query password -o tsv) == ???????* ]] ||
    fail "no secret"
  echo "ok: credential reset"

  page=$(az rest --method PATCH --headers Prefer=create-if-missing \
    --url "$ACI_OPERATOR_GRAPH_URL/v1.0/applications(uniqueName='$title')" \
    --body "{\"displayName\": \"$title - OpenAPI\"}" --query appId -o tsv)
  eventually az ad sp create --id "$api" -o none
  eventually az ad sp create --id "$page" -o none
  eventually az ad sp show --id "$api" -o none
  eventually az ad sp show --id "$page" -o none
  expect "sp list" "$(az ad sp list --display-name "$title" --query 'length(@)' -o tsv)" 2
  az ad app permission grant --id "$page" --api "$api" --scope user_impersonation -o none
  until [[ $(az ad app permission list-grants --id "$page" --query '[].scope' -o tsv) == user_* ]]; do
    sleep 0.2
  done
  echo "ok: permission grant"
  expect "users" "$(az ad user show --id marie@example.com --query displayName -o tsv)" "Marie Martin"

  [[ $(az ad sp create-for-rbac -n "$title-ci" --query password -o tsv) == ???????* ]] ||
    fail "no client for CI"
  echo "ok: sp create-for-rbac"

  az ad sp delete --id "$api"
  az ad app delete --id "$api"
  az ad app delete --id "$page"
  until [[ $(az ad app list --display-name "$title" --query 'length(@)' -o tsv) == 1 ]]; do sleep 0.2; done
  local refused
  refused=$(az ad app show --id "$api" 2>&1 || true)
  [[ $refused == *"'$api' does not exist"* ]] || fail "a deleted application: $refused"
  echo "ok: app delete"
  expect "deleted items" "$(az rest --query 'length(value)' -o tsv --url \
    "$ACI_OPERATOR_GRAPH_URL/v1.0/directory/deletedItems/microsoft.graph.application")" 2
}

start_local "$engine"
sign_in
registrations
secrets
expect "provider" \
  "$(az provider show -n Microsoft.ContainerInstance --query registrationState -o tsv)" Registered
expect "group exists before" "$(az group exists -n "$group")" false
az group create -n "$group" -l westus -o none
expect "group exists" "$(az group exists -n "$group")" true

az container create -g "$group" --file "$here/tutorial.yaml" -o none
expect "provisioning state" "$(show provisioningState)" Succeeded
expect "state" "$(show instanceView.state)" Running
expect "secret values" "$(az container show -g "$group" -n "$name" --query 'volumes[0].secret' -o json)" "{}"
ip=$(show ipAddress.ip)
[[ $ip == 127.* ]] || fail "the public address is '$ip'"
expect "list" "$(az container list -g "$group" --query '[].name' -o tsv)" "$name"
az container list -g "$group" -o table | grep -q "$ip:443" || fail "no address in the table"
az container logs -g "$group" -n "$name" --container-name my-app >"$WORK/logs"
echo "ok: logs"

if [[ $engine != none ]]; then
  curl -sS --fail --retry 20 --retry-all-errors --retry-delay 1 --cacert "$WORK/ssl.crt" \
    --connect-to "localhost:443:$ip:443" https://localhost/ -o "$WORK/page"
  echo "ok: HTTPS, verified by the tutorial's certificate"
  # shellcheck disable=SC2016
  said=$(printf 'echo marker-$((40+2))\nexit\n' | az container exec -g "$group" -n "$name" \
    --container-name nginx-with-ssl --exec-command /bin/sh)
  [[ $said == *marker-42* ]] || fail "exec said: $said"
  echo "ok: exec"
fi

refused=$(az container create -g "$group" -n "$name" --image "$APP_IMAGE" --os-type Linux --cpu 2 \
  --memory 2 --restart-policy Never 2>&1 || true)
[[ $refused == *"you must delete it first"* ]] || fail "a change of CPU is not refused: $refused"
echo "ok: a change of CPU is refused"

az container stop -g "$group" -n "$name"
until [[ $(show instanceView.state) == Stopped ]]; do sleep 0.2; done
az container start -g "$group" -n "$name"
expect "state after start" "$(show instanceView.state)" Running
[[ $(show ipAddress.ip) != "$ip" ]] || fail "the address is still $ip"
echo "ok: another address after stop and start"
az container restart -g "$group" -n "$name"
until [[ $(show instanceView.state) == Running ]]; do sleep 0.2; done
az container export -g "$group" -n "$name" -f "$WORK/export.yaml"
grep -q 'secret: {}' "$WORK/export.yaml" || fail "the export has no empty secret"

az container delete -g "$group" -n "$name" --yes -o none
expect "list after delete" "$(az container list -g "$group" --query 'length(@)' -o tsv)" 0
az group delete -n "$group" --yes
expect "group exists after delete" "$(az group exists -n "$group")" false
