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

# build_image NAME FOLDER [OPTION...]: skipped while neither the folder nor the base has changed.
build_image() {
  local image=$1 folder=$2 inputs bundle options=("${@:3}")
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

# The operator's image with a program that is already made: nothing is compiled twice. The same last
# stages as the published image.
ensure_operator_image() {
  local program=$1 folder=$TARGET/image/operator
  mkdir -p "$folder" && ensure_sbom "$folder/sbom.cdx.json" &&
    cp "$ROOT/images/operator/Dockerfile" "$ROOT/LICENSE" "$folder/" &&
    cp "$program" "$folder/aci-operator" &&
    build_image localhost/aci-operator/operator:local "$folder" --build-arg PROGRAM=given
}

# ensure_sbom FILE: what the program is made of, as CycloneDX, from Cargo.lock.
ensure_sbom() {
  local file=$1
  [ ! "$file" -nt "$ROOT/Cargo.lock" ] || return 0
  ensure_cargo_tool cargo-cyclonedx '^0.5' && (
    cd "$ROOT" && PATH=$TARGET/tools/bin:$PATH \
      cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-gnu \
      --override-filename .sbom.tmp
  ) && mv "$ROOT/.sbom.tmp.json" "$file"
}
