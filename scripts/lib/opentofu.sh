# OpenTofu, which evaluates the Terraform module: built from the Go module proxy as tests/opentofu/go.mod
# locks it.
# shellcheck shell=bash

TOFU=$TARGET/tools/opentofu/tofu

# Minutes the first time, nothing after that: made anew only when the lock has changed.
ensure_opentofu() {
  local module=$ROOT/tests/opentofu
  if [ -x "$TOFU" ] && cmp -s "$module/go.sum" "$TOFU.lock"; then return 0; fi
  need_go || return 1
  mkdir -p "${TOFU%/*}"
  (cd "$module" && go build -trimpath -ldflags '-s -w' -o "$TOFU" github.com/opentofu/opentofu/cmd/tofu) &&
    cp "$module/go.sum" "$TOFU.lock"
}
