#!/usr/bin/env bash
# The operator's image: what is in it, who it is, what it needs.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/engine.sh
. "$ROOT/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/images.sh
. "$ROOT/scripts/lib/images.sh"

IMAGE=localhost/aci-operator/operator:local
PROGRAM=${ACI_OPERATOR_BIN:-$TARGET/debug/aci-operator}
OUT=$TARGET/image/out
HOME_DIR=$OUT/home
MEGABYTE=1000000
PASSED=0 FAILED=0

# expect WHAT ACTUAL PATTERN
expect() {
  # shellcheck disable=SC2053
  if [[ $2 == $3 ]]; then
    PASSED=$((PASSED + 1)) && say "ok: $1"
  else
    FAILED=$((FAILED + 1)) && warn "not ok: $1: got '$2', expected '$3'"
  fi
}

inspect() { "$ENGINE" image inspect --format "$1" "$IMAGE"; }

# As it is meant to run: nothing but the home can be written.
run() {
  "$ENGINE" run --rm --network none --read-only --cap-drop all --security-opt no-new-privileges \
    -v "$HOME_DIR:/home/operator" "$@"
}

files() {
  local container
  container=$("$ENGINE" create "$IMAGE")
  "$ENGINE" export "$container" | tar -t | grep -v '/$' | sed 's|^\./||' | grep -Ev '^(dev|proc|sys|run)/' | sort
  "$ENGINE" rm "$container" >/dev/null
}

shell() { run --entrypoint /bin/sh "$IMAGE" -c true 2>&1 && echo "a shell ran"; }

main() {
  local all unexpected size program bom
  ensure_engine
  ensure_base
  ensure_operator_image "$PROGRAM"
  rm -rf "$OUT" && mkdir -p "$HOME_DIR" && chmod 0777 "$HOME_DIR"

  expect "the version" "$(run "$IMAGE" version)" "$("$PROGRAM" version)"
  expect "it is not root" "$(inspect '{{.Config.User}}')" 65532:65532
  all=$(files)
  unexpected=$(grep -Ev '^(usr/bin/aci-operator|etc/(passwd|group|nsswitch.conf|hosts|hostname|resolv.conf|mtab)|etc/ssl/certs/ca-certificates.crt|usr/share/doc/aci-operator/(LICENSE|sbom.cdx.json)|.*\.so\.[0-9]+|\.dockerenv)$' <<<"$all" || true)
  expect "nothing else is in it" "$unexpected" ""
  expect "no shell runs" "$(shell || echo refused)" "*refused"

  "$ENGINE" run --rm --read-only --network none -v "$ROOT/manifests/samples:/manifests:ro" "$IMAGE" \
    validate -f /manifests >"$OUT/validate" 2>&1 || true
  expect "it reads manifests on a read-only file system" "$(cat "$OUT/validate")" "*valid*"
  expect "its home is its own" \
    "$(echo value | run -i "$IMAGE" secret set db password 2>&1 && echo kept)" "*kept"

  bom=$(inspect '{{index .Config.Labels "io.aci-operator.sbom"}}')
  expect "the bill of materials is in it" "$all" "*${bom#/}*"
  expect "and it names the program's parts" \
    "$(python3 -c 'import json,sys; b=json.load(open(sys.argv[1])); n={c["name"] for c in b["components"]}; print(b["bomFormat"], {"tokio","rustls","kube"} <= n, len(n) > 200)' "$TARGET/image/operator/sbom.cdx.json")" \
    "CycloneDX True True"

  # The program of a debug build is larger than the one that is published; the rest is the same.
  size=$(inspect '{{.Size}}')
  program=$(stripped_size "$PROGRAM")
  expect "all but the program is small" "$(((size - program) / MEGABYTE < 10))" 1
  if [[ $("$PROGRAM" version -o json) == *'"commit": null'* ]]; then
    say "a debug build: $((size / MEGABYTE)) MB, of which the program is $((program / MEGABYTE)) MB"
  else
    expect "the whole is at most 40 MB" "$((size <= 40 * MEGABYTE))" 1
  fi
  say "$PASSED passed, $FAILED failed"
  [ "$FAILED" = 0 ]
}

stripped_size() {
  local copy=$OUT/stripped
  strip -o "$copy" "$1" && stat -c %s "$copy"
}

main
