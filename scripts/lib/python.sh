# The Python side of the tests: one environment under .venv, from the locked requirements.
# shellcheck shell=bash

VENV=$ROOT/.venv

# Made anew only when the lock has changed. uv, because pip takes minutes over azure-cli.
ensure_venv() {
  local lock=$ROOT/tests/requirements.lock
  if cmp -s "$lock" "$VENV/requirements.lock"; then return 0; fi
  rm -rf "$VENV"
  if ! python3 -c 'import ensurepip' 2>/dev/null; then need_packages python3-venv || return 1; fi
  python3 -m venv "$VENV" &&
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check 'uv>=0.9,<1' &&
    UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 "$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" \
      --require-hashes -r "$lock" &&
    cp "$lock" "$VENV/requirements.lock"
}
