# A container engine: a running Docker as it is, else Podman, installed and started where need be.
# shellcheck shell=bash

# Sets ENGINE (docker, podman or none: also the name of the command) and exports DOCKER_HOST.
# ACI_OPERATOR_ENGINE=none asks for none at all; 1 where no engine can be had.
ensure_engine() {
  ENGINE=none
  case ${ACI_OPERATOR_ENGINE:-auto} in
  none) return 0 ;;
  auto | docker) ;;
  *) die "ACI_OPERATOR_ENGINE is auto, docker or none, not '$ACI_OPERATOR_ENGINE'" ;;
  esac
  if docker_answers; then
    ENGINE=docker
    : "${DOCKER_HOST:=$(docker context inspect --format '{{.Endpoints.docker.Host}}')}"
  elif ensure_podman; then
    ENGINE=podman
  else
    no_engine
    return 1
  fi
  export ENGINE DOCKER_HOST
}

# Docker itself: Podman answers the same API, but builds with its own command only.
docker_answers() {
  local server
  command -v docker >/dev/null || return 1
  server=$(timeout 20 docker version --format '{{json .Server}}' 2>/dev/null) || return 1
  [ -n "$server" ] && [ "$server" != null ] && [[ $server != *"Podman Engine"* ]]
}

no_engine() {
  warn "No container engine: Docker does not answer, and Podman could not be installed or started."
  warn "Either start Docker (or set DOCKER_HOST) and try again, or go without containers:"
  warn "local Azure then keeps its whole ARM behaviour but serves nothing:"
  warn "    scripts/quickstart --engine none"
}

ensure_podman() {
  if ! command -v podman >/dev/null || [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # netavark calls iptables and, without it, says only "No such file or directory".
    need_packages podman netavark aardvark-dns catatonit iptables curl || return 1
  fi
  configure_podman || return 1
  start_podman_service
}

# Debian's Podman does not run everywhere as it comes. Only what this machine needs is set, in a
# drop-in of our own, and nothing at all where the user has a configuration.
configure_podman() {
  local folder=${XDG_CONFIG_HOME:-$HOME/.config}/containers containers='' engine=''
  local ours=containers.conf.d/50-aci-operator.conf hard
  [ "$(id -u)" != 0 ] || folder=/etc/containers
  if [ -n "${CONTAINERS_CONF:-}" ] || [ -e /etc/containers/containers.conf ] ||
    [ -e "$folder/containers.conf" ] || [ -n "$(ls -A "$folder/containers.conf.d" 2>/dev/null)" ]; then
    return 0
  fi
  # Podman asks for 1048576 files and more processes than a lower hard limit allows.
  hard=$(ulimit -Hn)
  if [ "$hard" != unlimited ] && [ "$hard" -lt 1048576 ]; then
    containers='default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]'
  fi
  # crun, the default, refuses hybrid cgroups.
  if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    need_packages runc || return 1
    engine+=$'runtime = "runc"\n'
  fi
  if [ ! -d /run/systemd/system ]; then
    engine+=$'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
  fi
  [ -n "$containers$engine" ] || return 0
  mkdir -p "$folder/containers.conf.d"
  printf '# Written by scripts/lib/engine.sh of aci-operator.\n[containers]\n%s\n\n[engine]\n%s' \
    "$containers" "$engine" >"$folder/$ours"
}

# Podman's Docker API, in the background and beyond the end of this script. One that answers is used.
start_podman_service() {
  local runtime=/run socket state
  [ "$(id -u)" = 0 ] || runtime=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
  socket=$runtime/podman/podman.sock
  state=$runtime/aci-operator
  mkdir -p "$state" "${socket%/*}" || return 1
  (
    flock 9
    podman_answers "$socket" && exit 0
    # Not in the clone: a service whose directory is gone can load no image.
    (cd / && exec setsid podman system service --time=0 "unix://$socket") \
      </dev/null >>"$state/podman.log" 2>&1 9>&- &
    echo $! >"$state/podman.pid"
    for _ in $(seq 100); do
      podman_answers "$socket" && exit 0
      sleep 0.1
    done
    tail -n 5 "$state/podman.log" >&2
    exit 1
  ) 9>"$state/podman.lock" || return 1
  DOCKER_HOST=unix://$socket
}

podman_answers() {
  [ -S "$1" ] && curl -fsS --max-time 10 --unix-socket "$1" http://engine/_ping >/dev/null 2>&1
}
