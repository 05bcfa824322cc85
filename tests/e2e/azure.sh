#!/usr/bin/env bash
# The operator in Azure: installed into local Azure from its own image, in a real container, with a home in
# blobs and a managed identity; a manifest kept true; upgraded; taken back.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/azurite.sh
. "$ROOT/scripts/lib/azurite.sh"
# shellcheck source=scripts/lib/engine.sh
. "$ROOT/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/images.sh
. "$ROOT/scripts/lib/images.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

IMAGE=localhost/aci-operator/operator
PASSED=0

passed() { PASSED=$((PASSED + 1)) && say "ok: $1"; }

fail() {
  warn "azure.sh: $*"
  exit 1
}

# eventually WHAT COMMAND...: until it succeeds, two minutes at most.
eventually() {
  local what=$1
  shift
  for _ in $(seq 120); do
    if "$@" >/dev/null 2>&1; then passed "$what" && return 0; fi
    sleep 1
  done
  "$@" || true
  fail "not in time: $what"
}

azure() {
  local verb=$1
  shift
  "$OPERATOR" "$verb" azure -g operators -l westeurope --manage web --writer "$WRITER" "$@"
}

home() { "$OPERATOR" --home "$HOME_URL" --cloud local "$@"; }

# image_of: what the operator's container group runs.
image_of() {
  az container show -g operators -n aci-operator --query 'containers[0].image' -o tsv
}

sign_in() {
  export AZURE_CONFIG_DIR=$WORK/az
  az cloud register -n LocalAzure --endpoint-resource-manager "$ACI_OPERATOR_RESOURCE_MANAGER_URL"
  az cloud set -n LocalAzure
  az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" \
    --tenant "$AZURE_TENANT_ID" -o none
}

# Object id of who calls: local Azure has noted it.
writer() {
  "$OPERATOR" local access -o json |
    python3 -c 'import json,sys; print(next(a["principal"] for a in json.load(sys.stdin) if a["name"] == sys.argv[1]))' \
      "$AZURE_CLIENT_ID"
}

# check_rights PRINCIPAL [ACTION...]: it wrote container groups, was refused nothing, and reached for no action of ARM
# that its role, or a built-in one that was given too, does not name.
check_rights() {
  local principal=$1
  shift
  azure install --image "$IMAGE:local" -o json >"$WORK/plan.json"
  "$OPERATOR" local access -o json | python3 -c '
import json, sys
plan = json.load(open(sys.argv[2]))
own = next(one for one in json.load(sys.stdin) if one["principal"] == sys.argv[1])
arm = {action for action in own["allowed"] if "/blobs/" not in action}
assert not own["refused"], own["refused"]
assert "Microsoft.ContainerInstance/containerGroups/write" in arm, arm
given = {*plan["rights"], *sys.argv[3:]}
assert arm <= given, arm - given' "$principal" "$WORK/plan.json" "$@"
}

# named_by_digest TAG: the image as a manifest names it.
named_by_digest() {
  "$ENGINE" image inspect "$1" --format '{{index .RepoDigests 0}}'
}

# push_image IMAGE: the operator's own manifest with another image.
push_image() {
  sed "s|image: .*|image: $1|" "$WORK/manifest.yaml" >"$WORK/operator/aci-operator.yaml"
  home push -f "$WORK/operator"
}

runs() { [ "$(image_of)" = "$1" ]; }

# rests_on REASON: what the operator says of itself.
rests_on() {
  home get containergroup aci-operator -o json | python3 -c '
import json, sys
status = json.load(sys.stdin)["status"]
said = {one["type"]: one for one in status["conditions"]}
sys.exit(said["Ready"]["reason"] != sys.argv[1])' "$1"
}

# The operator keeps its own container group: another image, and nothing else, by an edit of its manifest.
check_rollout() {
  local good bad
  mkdir "$WORK/operator"
  azure install --image "$IMAGE:next" --self-update --yes
  "$OPERATOR" install manifest -g operators >"$WORK/manifest.yaml"
  push_image "$IMAGE:next"
  eventually "it keeps itself" home wait aci-operator --for condition=Ready --timeout 5s
  runs "$IMAGE:next" || fail "the operator runs $(image_of)"

  printf 'FROM %s\nLABEL release=next\n' "$IMAGE:local" >"$WORK/Dockerfile"
  "$ENGINE" build -q -t "$IMAGE:digest" -f "$WORK/Dockerfile" "$WORK/operator" >/dev/null
  good=$(named_by_digest "$IMAGE:digest") bad=$(named_by_digest "$BASE_IMAGE")
  push_image "$bad"
  eventually "an image that does not pass its trial is not rolled out" rests_on TrialFailed
  runs "$IMAGE:next" || fail "the operator runs $(image_of)"
  push_image "$good"
  eventually "one that passes is" runs "$good"
  eventually "and finds itself as its manifest says" rests_on InSync
  if az container show -g operators -n aci-operator-trial -o none 2>/dev/null; then fail "a trial is left"; fi
  sed -i 's/cpu: 0.5/cpu: 1/' "$WORK/manifest.yaml"
  push_image "$good"
  eventually "it does not make itself anew" rests_on SelfReplace
}

main() {
  ensure_engine
  ensure_base
  ensure_azurite
  ensure_images
  ensure_operator_image "$OPERATOR"
  start_local docker
  sign_in
  az group create -n web -l westeurope -o none
  WRITER=$(writer)

  azure install --image "$IMAGE:local" --yes
  passed "it is installed, and runs"
  HOME_URL=$(azure install --image "$IMAGE:local" -o json |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["home"])')

  cat >"$WORK/web.yaml" <<'YAML'
apiVersion: aci-operator.io/v1alpha1
kind: ContainerGroup
metadata: {name: web}
spec:
  resourceGroup: web
  location: westeurope
  containers:
  - name: app
    image: localhost/aci-operator/sample-api:local
    resources: {requests: {cpu: 1, memoryInGB: 1}}
YAML
  home apply -f "$WORK/web.yaml" --timeout 2m
  passed "a manifest in the home is kept true"
  [ "$(az container show -g web -n web --query provisioningState -o tsv)" = Succeeded ] ||
    fail "the group is not there"

  check_rights "$(az identity show -g operators -n aci-operator --query principalId -o tsv)"
  passed "its role is enough, and used"

  "$ENGINE" tag "$IMAGE:local" "$IMAGE:next"
  if azure upgrade --image "$BASE_IMAGE" --yes; then fail "an image without the program passed"; fi
  [ "$(image_of)" = "$IMAGE:local" ] || fail "the operator runs $(image_of)"
  passed "an image that does not pass its trial is not taken"
  azure upgrade --image "$IMAGE:next" --yes
  [ "$(image_of)" = "$IMAGE:next" ] || fail "the operator runs $(image_of)"
  passed "one that passes is taken"
  eventually "and works on the same home" home wait web --for condition=Ready --timeout 5s

  check_rollout
  check_rights "$(az identity show -g operators -n aci-operator --query principalId -o tsv)" \
    Microsoft.ManagedIdentity/userAssignedIdentities/assign/action
  passed "its role is enough for that too"

  if "$OPERATOR" uninstall azure -g operators --yes; then fail "it left a group behind"; fi
  passed "it is not taken back while it keeps a group"
  "$OPERATOR" uninstall azure -g operators --yes --keep-groups
  [ -z "$(az resource list -g operators --query '[].id' -o tsv 2>/dev/null)" ] || fail "something is left"
  az container show -g web -n web -o none
  passed "it is taken back, and the group runs on"
  say "$PASSED passed, 0 failed"
}

main
