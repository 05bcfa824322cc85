# The public base image and the images that are built on it.
# shellcheck shell=bash

BASE_IMAGE=docker.io/library/debian:forky-slim
INPUTS_LABEL=io.aci-operator.inputs

# From the registry; where none answers, from Debian packages, under the same name, so that the
# same Dockerfiles build.
ensure_base() {
  if "$ENGINE" image inspect "$BASE_IMAGE" >/dev/null 2>&1; then return 0; fi
  if timeout 180 "$ENGINE" pull -q "$BASE_IMAGE"; then return 0; fi
  say "no registry answers: making $BASE_IMAGE from Debian packages"
  need_packages mmdebstrap ca-certificates || return 1
  local folder
  folder=$(mktemp -d) || return 1
  # Mirrors may carry a testing suite's Release file past its date; signatures are still checked.
  as_root mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --aptopt='Acquire::Check-Valid-Until "false"' forky "$folder/base.tar" &&
    "$ENGINE" import "$folder/base.tar" "$BASE_IMAGE" &&
    rm -rf "$folder"
}

# build_image NAME FOLDER: skipped while neither the folder nor the base has changed.
build_image() {
  local image=$1 folder=$2 inputs bundle options=()
  inputs=$(image_inputs "$folder") || return 1
  if [ "$("$ENGINE" image inspect --format "{{index .Config.Labels \"$INPUTS_LABEL\"}}" \
    "$image" 2>/dev/null)" = "$inputs" ]; then
    return 0
  fi
  # A network that inspects TLS signs with a CA of its own: lent to the build, not left in the image.
  for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    [ ! -f "$bundle" ] || { options+=(--secret "id=ca-bundle,src=$bundle") && break; }
  done
  DOCKER_BUILDKIT=1 "$ENGINE" build --network host "${options[@]}" \
    --label "$INPUTS_LABEL=$inputs" -t "$image" "$folder"
}

image_inputs() {
  {
    "$ENGINE" image inspect --format '{{.Id}}' "$BASE_IMAGE" || return 1
    cd "$1" && find . -type f ! -path './tests/*' ! -path './.*/*' ! -path '*/__pycache__/*' -print0 |
      sort -z | xargs -0 sha256sum
  } | sha256sum | cut -d' ' -f1
}

ensure_images() {
  build_image localhost/aci-operator/sidecar:local "$ROOT/images/sidecar" &&
    build_image localhost/aci-operator/sample-api:local "$ROOT/images/sample-api" &&
    build_image localhost/aci-operator/protected-api:local "$ROOT/images/protected-api"
}
