#!/usr/bin/env bash
# A person in a real browser: from the docs page through Authorize and sign-in to an answer. Certificates
# are verified by a store of this test's own, and no error of theirs is ignored.
set -euo pipefail

# shellcheck source=scripts/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source=scripts/lib/local.sh
. "$ROOT/scripts/lib/local.sh"

# trust FILE NAME: one more authority for the browser that starts with HOME=$WORK.
trust() { certutil -d "sql:$WORK/.pki/nssdb" -A -t C,, -n "$2" -i "$1"; }

end() {
  [ -z "${DAEMON:-}" ] || kill "$DAEMON" || true
  stop_local
}

start_local docker
trap end EXIT
"$OPERATOR" apply -f "$ROOT/manifests/samples" --wait --timeout 5m
"$OPERATOR" ca export >"$WORK/ca.pem"
mkdir -p "$WORK/.pki/nssdb"
certutil -d "sql:$WORK/.pki/nssdb" -N --empty-password
trust "$WORK/ca.pem" issuer
trust "$ACI_OPERATOR_HOME/local/ca.pem" local-azure
"$OPERATOR" run -f "$ROOT/manifests/samples" --listen 127.0.0.1:0 2>"$WORK/daemon.log" &
DAEMON=$!
env -u SSL_CERT_FILE -u SSL_CERT_DIR HOME="$WORK" OPERATOR="$OPERATOR" \
  python "$ROOT/tests/clients/_browser.py"
