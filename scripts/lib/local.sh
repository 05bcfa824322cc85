# A local Azure of its own for one program, in a folder that goes away with it.
# shellcheck shell=bash

OPERATOR=${ACI_OPERATOR_BIN:-$TARGET/debug/aci-operator}

# start_local ENGINE: sets WORK, and the variables of `local env`.
start_local() {
  WORK=$(mktemp -d)
  trap stop_local EXIT
  export ACI_OPERATOR_HOME=$WORK/home
  "$OPERATOR" local up --engine "$1"
  local variables
  variables=$("$OPERATOR" local env)
  eval "$variables"
}

stop_local() {
  "$OPERATOR" local reset || true
  "$OPERATOR" local down || true
  rm -rf "$WORK"
}
