#!/usr/bin/env bash
# Start one OpenSearch node on BIND:PORT (0: a free port) with everything it writes under
# DATADIR. Prints url= and pid=, and with SECURE also ca=, username= and password=, when it answers.
#   up.sh PORT DATADIR            plain http
#   SECURE=1 up.sh PORT DATADIR   https and basic auth (security plugin); its CA is
#                                 DATADIR/config/ca.pem
#   up.sh --java-home             only print which Java would be used
# A second up.sh on the same DATADIR (after KEEP=1 down.sh) starts the node again with its data.
# Environment:
#   BIND         the address, default 127.0.0.1; another one for pods of a node (in-cluster.sh)
#   OS_VERSION   2.19.4 (JDK 11 to 21) or 3.4.0 (JDK 21 or later); default 2.19.4
#   OS_HEAP      default 512m
#   OS_JAVA_OPTS further JVM options
#   OS_SETTINGS  further lines for opensearch.yml, for example 'thread_pool.write.queue_size: 1'
#   OS_PASSWORD  password of the users admin, shipper and reader with SECURE=1; default weir-Test-1.
#                shipper may write to kube-events* and no more; reader may only read them
#   WEIR_TEST_OWNER  a PID: the node is stopped, and DATADIR removed, when that process ends,
#                    however it ends
#   OS_JAVA_HOME JDK to use; default: JAVA_HOME or one in /usr/lib/jvm, whichever fits first
# As root the node runs as nobody (OpenSearch refuses root), so nobody must be able to reach
# DATADIR.
set -euo pipefail
umask 022
[ $# -eq 2 ] || [ "${1:-}" = --java-home ] || { sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
v=${OS_VERSION:-2.19.4} bind=${BIND:-127.0.0.1} heap=${OS_HEAP:-512m} pass=${OS_PASSWORD:-weir-Test-1} secure=${SECURE:-}
cache=$WEIR_CACHE/opensearch

find_java() { # least and greatest major version
  local h major
  for h in ${OS_JAVA_HOME:-} ${JAVA_HOME:-} /usr/lib/jvm/*; do
    major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$h/release" 2>/dev/null) || continue
    [ -x "$h/bin/java" ] && [ "${major:-0}" -ge "$1" ] && [ "$major" -le "$2" ] && { echo "$h"; return; }
  done
  echo "no JDK from $1 to $2 found; set OS_JAVA_HOME" >&2
  return 1
}
case $v in
  2.*) java_home=$(find_java 11 21) ;;
  *) java_home=$(find_java 21 99) ;;
esac
[ "$1" != --java-home ] || { echo "$java_home"; exit; }

port=$1
[ "$port" != 0 ] || port=$(free_port)
mkdir -p "$2"
data=$(cd "$2" && pwd)
home=$data/opensearch-$v conf=$data/config
as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
[ "$(id -u)" != 0 ] || "${as_nobody[@]}" test -x "$data" || die "the user nobody cannot reach $data"
if pid=$(cat "$data/pid" 2>/dev/null); then
  tr "\0" "\n" 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$data/" && die "it runs already: pid $pid"
  rm "$data/pid" # it was killed
fi

dist=$cache/opensearch-$v.zip sec=$cache/opensearch-security-$v.0.zip
[ -s "$dist" ] && [ -s "$sec" ] || die "no $dist: run tests/env/setup.sh opensearch"

secure_files() { # certificates, users, roles: once per DATADIR
  local plugin=$home/plugins/opensearch-security hash n
  unzip -q "$sec" -d "$plugin"
  mv "$plugin/config" "$conf/opensearch-security"
  # The plugin 3.4.0 leans on the module rule-framework, which is not published on its own:
  # unhook it, and give the plugin the one library that it takes from there.
  if grep -q rule-framework "$plugin/plugin-descriptor.properties"; then
    sed -i '/^extended.plugins=/d' "$plugin/plugin-descriptor.properties"
    cp "$cache/commons-collections4-4.4.jar" "$plugin/"
  fi
  cd "$conf"
  local ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  openssl req -x509 "${ec[@]}" -keyout ca.key -out ca.pem -days 30 -subj /CN=weir-test-ca
  for n in node admin; do
    openssl req "${ec[@]}" -keyout $n.key -out $n.csr -subj /CN=$n
    openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out $n.pem \
      -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:$bind")
  done
  hash=$(OPENSEARCH_JAVA_HOME=$java_home bash "$plugin/tools/hash.sh" -p "$pass" | tail -n 1)
  cat >opensearch-security/internal_users.yml <<Y
_meta: {type: internalusers, config_version: 2}
admin: {hash: "$hash", backend_roles: [admin]}
shipper: {hash: "$hash", backend_roles: [shipper]}
reader: {hash: "$hash", backend_roles: [reader]}
Y
  cat >opensearch-security/roles.yml <<Y
_meta: {type: roles, config_version: 2}
event_shipper:
  cluster_permissions: [cluster_monitor, "indices:data/write/bulk"]
  index_permissions:
    - {index_patterns: ["kube-events*", ".ds-kube-events*"], allowed_actions: [create_index, index]}
event_reader:
  index_permissions:
    - {index_patterns: ["kube-events*", ".ds-kube-events*"], allowed_actions: [read]}
Y
  cat >opensearch-security/roles_mapping.yml <<Y
_meta: {type: rolesmapping, config_version: 2}
all_access: {backend_roles: [admin]}
event_shipper: {backend_roles: [shipper]}
event_reader: {backend_roles: [reader]}
Y
}

if [ ! -d "$home" ]; then
  unzip -q "$dist" -d "$data"
  cp -r "$home/config" "$conf"
  [ -z "$secure" ] || (secure_files) >"$data/setup.log" 2>&1 || { cat "$data/setup.log" >&2; exit 1; }
fi
{
  cat <<Y
cluster.name: weir-test
node.name: weir-test-0
discovery.type: single-node
network.host: $bind
http.port: $port
transport.port: 0
path.data: $data/data
path.logs: $data/logs
cluster.routing.allocation.disk.threshold_enabled: false
Y
  [ -z "$secure" ] || cat <<Y
plugins.security.ssl.transport.pemcert_filepath: node.pem
plugins.security.ssl.transport.pemkey_filepath: node.key
plugins.security.ssl.transport.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.enforce_hostname_verification: false
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: node.pem
plugins.security.ssl.http.pemkey_filepath: node.key
plugins.security.ssl.http.pemtrustedcas_filepath: ca.pem
plugins.security.allow_default_init_securityindex: true
plugins.security.authcz.admin_dn: ["CN=admin"]
plugins.security.nodes_dn: ["CN=node"]
plugins.security.restapi.roles_enabled: [all_access]
plugins.security.audit.type: noop
Y
  echo "${OS_SETTINGS:-}"
} >"$conf/opensearch.yml"
mkdir -p "$data/tmp"
chmod -R go= "$conf"

run=(env -u JAVA_HOME HOME="$data" OPENSEARCH_JAVA_HOME="$java_home" OPENSEARCH_PATH_CONF="$conf"
  OPENSEARCH_TMPDIR="$data/tmp" OPENSEARCH_JAVA_OPTS="-Xms$heap -Xmx$heap ${OS_JAVA_OPTS:-}")
if [ "$(id -u)" = 0 ]; then
  chown -R nobody "$data"
  run=("${as_nobody[@]}" "${run[@]}")
fi
cd "$home"
setsid "${run[@]}" bin/opensearch -p "$data/pid" >"$data/out.log" 2>&1 </dev/null &
child=$!
if [ -n "${WEIR_TEST_OWNER:-}" ]; then
  born=$(start_time "$WEIR_TEST_OWNER")
  HARD=1 setsid "$here/../watch.sh" "$here/down.sh" "$data" "$WEIR_TEST_OWNER" "$born" >/dev/null 2>&1 </dev/null &
fi

if [ -z "$secure" ]; then
  url=http://$bind:$port
  probe=(curl -sf -m 2 -o /dev/null)
else
  url=https://$bind:$port
  probe=(curl -sf -m 2 -o /dev/null --cacert "$conf/ca.pem" -u "admin:$pass")
  chmod 755 "$conf" && chmod 644 "$conf/ca.pem" # for clients that are not root
fi
for ((i = 0; i < 1200; i++)); do
  kill -0 $child 2>/dev/null || { tail -n 30 "$data/out.log" >&2; die "OpenSearch ended before it was ready"; }
  if "${probe[@]}" "$url/_cluster/health"; then
    echo "url=$url"
    echo "pid=$child"
    [ -z "$secure" ] || printf '%s\n' "ca=$conf/ca.pem" username=admin "password=$pass"
    exit 0
  fi
  sleep 0.1
done
kill $child
tail -n 30 "$data/out.log" >&2
die "OpenSearch is not ready after two minutes"
