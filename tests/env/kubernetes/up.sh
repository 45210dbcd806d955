#!/usr/bin/env bash
# up.sh [dir]: start a real Kubernetes control plane on 127.0.0.1, everything below dir
# (a new temporary directory when not given). Prints dir=, kubeconfig=, server=, etcd= and kubectl=
# when ready.
#   BIN=...             the folder with the binaries (default: what setup.sh built)
#   PORT=, ETCD_PORT=, CM_PORT=, SCHED_PORT=   fixed ports (default: random free ones)
#   BIND=127.0.0.1      kube-apiserver's address. BIND=10.96.0.1 PORT=443 (root) puts it where the
#                       service "kubernetes" points, so that pods of node-up.sh reach it with no
#                       kube-proxy
#   COMPONENTS="..."    subset of: controller-manager scheduler (default: both; "" for none)
#   EVENT_TTL=1h        kube-apiserver --event-ttl
#   COMPACTION=5m       kube-apiserver --etcd-compaction-interval (0 turns it off)
#   APISERVER_FLAGS=, CM_FLAGS=, SCHED_FLAGS=, ETCD_FLAGS=   more flags
set -euo pipefail
umask 077
here=$(cd "$(dirname "$0")" && pwd -P)
. "$here/../lib.sh"
BIN=${BIN:-$(k8s_dir)}
[ -x "$BIN/kube-apiserver" ] || die "no servers in $BIN: run tests/env/setup.sh kubernetes"
dir=${1:-$(mktemp -d /tmp/weir-kubernetes.XXXXXX)}
mkdir -p "$dir/pki" "$dir/log"
cd "$dir"
dir=$(pwd -P)
BIND=${BIND:-127.0.0.1}
COMPONENTS=${COMPONENTS-controller-manager scheduler}

fail() { "$here/down.sh" "$dir" --keep >&2 || true; die "$*"; }
case $BIND in 127.*) ;; *) ip addr add "$BIND/32" dev lo && echo "$BIND" >lo ;; esac
for v in PORT ETCD_PORT ETCD_PEER_PORT CM_PORT SCHED_PORT; do
  [ -n "${!v:-}" ] || declare "$v=$(free_port)"
done

# --- keys: one CA, one serving certificate, client certificates, a service account key
key() { openssl ecparam -name prime256v1 -genkey -noout -out "pki/$1.key"; }
cert() { # name subject extensions
  key "$1"
  openssl req -new -key "pki/$1.key" -subj "$2" |
    openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 30 \
      -extfile <(echo "$3") -out "pki/$1.crt" 2>/dev/null
}
kubeconfig() { # name
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: k8slab, cluster: {server: "https://$BIND:$PORT", certificate-authority: $dir/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $dir/pki/$1.crt, client-key: $dir/pki/$1.key}}]
contexts: [{name: k8slab, context: {cluster: k8slab, user: $1}}]
current-context: k8slab
YAML
}
key ca
openssl req -x509 -new -key pki/ca.key -subj /CN=k8slab-ca -days 30 -out pki/ca.crt \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
cert apiserver /CN=kube-apiserver "extendedKeyUsage=serverAuth
subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
for c in admin:/O=system:masters/CN=admin \
  controller-manager:/CN=system:kube-controller-manager scheduler:/CN=system:kube-scheduler; do
  cert "${c%%:*}" "${c#*:}" extendedKeyUsage=clientAuth
  kubeconfig "${c%%:*}"
done
openssl genrsa -out pki/sa.key 2048 2>/dev/null
openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null

# --- processes
: >pids
start() { # name command...
  local name=$1
  shift
  setsid "$@" >"log/$name.log" 2>&1 </dev/null &
  echo "$name $!" >>pids
}
wait_for() { # name url: until it answers 200
  local i answered=
  for ((i = 0; i < 600; i++)); do
    curl -fsS --max-time 5 --cacert pki/ca.crt --cert pki/admin.crt --key pki/admin.key -o /dev/null "$2" 2>/dev/null && answered=1
    # Also when it answers: another one may have taken the port.
    kill -0 "$(awk -v n="$1" '$1 == n {print $2}' pids)" 2>/dev/null || fail "$1 ended: $(tail -n 5 "log/$1.log")"
    [ -z "$answered" ] || return 0
    sleep 0.1
  done
  fail "$1 is not ready: $(tail -n 5 "log/$1.log")"
}

# A throw-away store: no fsync.
start etcd "$BIN/etcd" --name k8slab --data-dir "$dir/etcd" --unsafe-no-fsync \
  --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
  --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
  --initial-cluster "k8slab=http://127.0.0.1:$ETCD_PEER_PORT" --log-level warn ${ETCD_FLAGS:-}
wait_for etcd "http://127.0.0.1:$ETCD_PORT/health"

# No endpoint reconciler: it refuses a loopback address for the service "kubernetes", and the API
# server ends if it cannot write it.
start kube-apiserver "$BIN/kube-apiserver" \
  --etcd-servers "http://127.0.0.1:$ETCD_PORT" --etcd-compaction-interval "${COMPACTION:-5m}" \
  --bind-address "$BIND" --secure-port "$PORT" --advertise-address "$BIND" --endpoint-reconciler-type none \
  --tls-cert-file pki/apiserver.crt --tls-private-key-file pki/apiserver.key \
  --client-ca-file pki/ca.crt --authorization-mode Node,RBAC --anonymous-auth=false \
  --kubelet-client-certificate pki/admin.crt --kubelet-client-key pki/admin.key \
  --kubelet-preferred-address-types InternalIP \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file pki/sa.pub \
  --service-account-signing-key-file pki/sa.key --service-cluster-ip-range 10.96.0.0/16 \
  --allow-privileged --event-ttl "${EVENT_TTL:-1h}" --shutdown-delay-duration 0s ${APISERVER_FLAGS:-}
wait_for kube-apiserver "https://$BIND:$PORT/readyz"

for c in $COMPONENTS; do
  case $c in
  controller-manager)
    start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig controller-manager.kubeconfig \
      --bind-address 127.0.0.1 --secure-port "$CM_PORT" --leader-elect=false --use-service-account-credentials \
      --service-account-private-key-file pki/sa.key --root-ca-file pki/ca.crt \
      --authentication-kubeconfig controller-manager.kubeconfig --authorization-kubeconfig controller-manager.kubeconfig \
      ${CM_FLAGS:-}
    ;;
  scheduler)
    start kube-scheduler "$BIN/kube-scheduler" --kubeconfig scheduler.kubeconfig \
      --bind-address 127.0.0.1 --secure-port "$SCHED_PORT" --leader-elect=false \
      --authentication-kubeconfig scheduler.kubeconfig --authorization-kubeconfig scheduler.kubeconfig \
      ${SCHED_FLAGS:-}
    ;;
  *) fail "no such component: $c" ;;
  esac
done
# Pods are refused until the controller manager has made the namespace's default service account.
case " $COMPONENTS " in *" controller-manager "*)
  wait_for kube-controller-manager "https://$BIND:$PORT/api/v1/namespaces/default/serviceaccounts/default"
  ;;
esac
cat >./env <<VARS
dir=$dir
kubeconfig=$dir/admin.kubeconfig
server=https://$BIND:$PORT
etcd=http://127.0.0.1:$ETCD_PORT
kubectl=$BIN/kubectl
VARS
cat ./env
