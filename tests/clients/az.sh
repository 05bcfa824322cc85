#!/usr/bin/env bash
# Azure CLI against a local Azure of its own, with the tutorial's own YAML.
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

start_local "$engine"
sign_in
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
