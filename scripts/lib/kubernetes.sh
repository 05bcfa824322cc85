# The Kubernetes that the tests run against: etcd, kube-apiserver, kubectl and helm, built from the
# Go module proxy as tests/kubernetes/go.mod locks them. No container, no download of binaries.
# shellcheck shell=bash

KUBERNETES=$TARGET/tools/kubernetes
KUBERNETES_MODULE=$ROOT/tests/kubernetes

# Minutes the first time, nothing after that: made anew only when a lock has changed.
ensure_kubernetes() {
  local version stamp
  if kubernetes_lock | cmp -s - "$KUBERNETES/lock"; then return 0; fi
  need_go || return 1
  version=$(cd "$KUBERNETES_MODULE" && go list -m -f '{{.Version}}' k8s.io/kubernetes) || return 1
  stamp=$(kubernetes_stamp "$version")
  mkdir -p "$KUBERNETES/bin"
  kubernetes_build "$stamp" etcd go.etcd.io/etcd/server/v3 &&
    kubernetes_build "$stamp" kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver &&
    kubernetes_build "$stamp" kubectl k8s.io/kubernetes/cmd/kubectl &&
    kubernetes_build "$stamp" helm helm.sh/helm/v4/cmd/helm &&
    kubernetes_monitoring &&
    kubernetes_lock >"$KUBERNETES/lock"
}

kubernetes_lock() { cat "$KUBERNETES_MODULE/go.sum" "$KUBERNETES_MODULE/monitoring/go.sum"; }

# Without it the server calls itself v0.0.0-master, which its own kubectl cannot read.
kubernetes_stamp() {
  local at=k8s.io/component-base/version minor=${1#v*.}
  printf -- '-s -w -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s -X %s.gitTreeState=clean' \
    "$at" "$1" "$at" "$at" "${minor%%.*}" "$at"
}

# What the Prometheus operator says of a ServiceMonitor and a PrometheusRule: its module holds it.
kubernetes_monitoring() {
  local at
  at=$(cd "$KUBERNETES_MODULE/monitoring" &&
    go mod download -json github.com/prometheus-operator/prometheus-operator |
    sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p') || return 1
  mkdir -p "$KUBERNETES/monitoring"
  install -m 644 "$at"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml \
    "$KUBERNETES/monitoring/"
}

# Gently: cargo has the first call on the processors. Beside the target, then one rename, so that
# an interrupted build leaves no half binary.
kubernetes_build() {
  (cd "$KUBERNETES_MODULE" && nice -n 5 go build -mod=readonly -trimpath -ldflags "$1" \
    -o "$KUBERNETES/bin/.$2" "$3") && mv "$KUBERNETES/bin/.$2" "$KUBERNETES/bin/$2"
}
