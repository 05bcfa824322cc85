# Azurite, which keeps the blobs of local Azure's storage accounts.
# shellcheck shell=bash

AZURITE=$TARGET/azurite

# Sets ACI_OPERATOR_AZURITE. Made anew only when the lock has changed; its packages run no scripts.
ensure_azurite() {
  local folder=$ROOT/tests/azurite
  export ACI_OPERATOR_AZURITE=$AZURITE/node_modules/.bin/azurite-blob
  if cmp -s "$folder/package-lock.json" "$AZURITE/installed.json"; then return 0; fi
  command -v npm >/dev/null || need_packages nodejs npm || return 1
  rm -rf "$AZURITE"
  mkdir -p "$AZURITE"
  cp "$folder/package.json" "$folder/package-lock.json" "$AZURITE"
  npm ci --prefix "$AZURITE" --ignore-scripts --no-audit --no-fund --loglevel=error &&
    cp "$folder/package-lock.json" "$AZURITE/installed.json"
}
