# What scripts/quickstart, scripts/test and scripts/soak share: where things are, and step lines.
# Sourced, never run. Callers have set -euo pipefail.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LOGS=${ACI_OPERATOR_LOGS:-$ROOT/target/logs}
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
mkdir -p "$LOGS"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
  BOLD='' GREEN='' RED='' DIM='' PLAIN=''
fi

# Seconds since $1 (a value of EPOCHREALTIME), one decimal, whatever the locale's decimal sign.
elapsed() {
  local from=${1/[.,]/} to=${EPOCHREALTIME/[.,]/}
  local tenths=$(((to - from) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  printf '%s%s%s\n' "$RED" "$*" "$PLAIN" >&2
  exit 1
}

log_of() { printf '%s/%s.log' "$LOGS" "$(printf '%s' "$1" | tr -cs 'a-zA-Z0-9' '-')"; }

# step TITLE COMMAND...: runs quietly in this shell (so that exports stay), one line with its time;
# the output goes to a log, whose end is shown where the command fails.
step() {
  local title=$1 from=$EPOCHREALTIME log
  shift
  log=$(log_of "$title")
  [ ! -t 1 ] || printf '%s…%s %s' "$DIM" "$PLAIN" "$title"
  if "$@" >"$log" 2>&1; then
    [ ! -t 1 ] || printf '\r\e[K'
    printf '%s✓%s %-34s %s%6s s%s\n' "$GREEN" "$PLAIN" "$title" "$DIM" "$(elapsed "$from")" "$PLAIN"
  else
    [ ! -t 1 ] || printf '\r\e[K'
    printf '%s✗%s %-34s %6s s\n' "$RED" "$PLAIN" "$title" "$(elapsed "$from")"
    tail -n 40 "$log" >&2
    die "$title failed; the whole log: $log"
  fi
}

# step_shown TITLE COMMAND...: the same for a command that shows its own progress.
step_shown() {
  local title=$1 from=$EPOCHREALTIME
  shift
  if [ -t 2 ]; then
    say "$DIM…$PLAIN $title"
    "$@" || die "$title failed"
    printf '%s✓%s %-34s %s%6s s%s\n' "$GREEN" "$PLAIN" "$title" "$DIM" "$(elapsed "$from")" "$PLAIN"
  else
    step "$title" "$@"
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Any Go from 1.21 on fetches the one that a go.mod names.
need_go() { command -v go >/dev/null || need_packages golang-go; }

# ensure_cargo_tool NAME VERSION: a program that cargo finds, built where it is missing. Unoptimised: it
# runs for a second, and its build is what takes time.
ensure_cargo_tool() {
  command -v "$1" >/dev/null || [ -x "$TARGET/tools/bin/$1" ] ||
    CARGO_TARGET_DIR=$TARGET/tools/build cargo install --locked --debug --version "$2" \
      --root "$TARGET/tools" "$1"
}

# need_packages PACKAGE...: installs those Debian packages that are missing.
need_packages() {
  local missing=() package
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    warn "not a Debian system: please install yourself: $*"
    return 1
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get -o DPkg::Lock::Timeout=600 -qq update || return 1
  as_root apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends "${missing[@]}"
}
