# Sourced by up.sh: Matrix Synapse on SQLite, as user www-data. Agents are the accounts laneNN (password laneNN-pass);
# visitors register themselves. A second Synapse, which may be killed, is started by the tests that need it.

SYNAPSE_LANES=16

as_synapse() { setpriv --reuid www-data --regid www-data --clear-groups env HOME="$D/$1" PYTHONDONTWRITEBYTECODE=1 "${@:2}"; }

# write_synapse NAME PORT
write_synapse() {
  local p=$D/$1 free='{ per_second: 10000, burst_count: 10000 }' name
  mkdir -p "$p/media" "$p/log" "$D/bin"
  install -m 644 "$HERE/synapse/people.py" "$D/bin/"
  cat >"$p/log.yaml" <<E
version: 1
formatters: { line: { format: '%(asctime)s %(name)s %(levelname)s %(message)s' } }
handlers: { file: { class: logging.FileHandler, filename: $p/log/synapse.log, formatter: line } }
root: { level: WARNING, handlers: [file] }
E
  {
    cat <<E
server_name: chat.test
pid_file: $p/synapse.pid
public_baseurl: http://127.0.0.1:$2/
listeners: [{ port: $2, tls: false, type: http, bind_addresses: ['127.0.0.1'], resources: [{ names: [client], compress: false }] }]
database: { name: sqlite3, args: { database: $p/homeserver.db } }
log_config: $p/log.yaml
media_store_path: $p/media
signing_key_path: $p/signing.key
registration_shared_secret: only-for-tests
macaroon_secret_key: only-for-tests
form_secret: only-for-tests
bcrypt_rounds: 4
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
federation_domain_whitelist: []
enable_registration: true
enable_registration_without_verification: true
E
    # Every client here is the same machine.
    for name in message registration registration_token_validity 3pid_validation third_party_invite media_create room_creation joins_per_room \
      user_directory profile reports delayed_event_mgmt; do
      echo "rc_$name: $free"
    done
    echo "rc_login: { address: $free, account: $free, failed_attempts: $free }"
    echo "rc_joins: { local: $free, remote: $free }"
    echo "rc_invites: { per_room: $free, per_user: $free, per_issuer: $free }"
    echo "rc_presence: { per_user: $free }"
  } >"$p/homeserver.yaml"
  chown -R www-data:www-data "$p"
}

# start_synapse NAME PORT [FIRST-LANE LAST-LANE]: with the agents of these lanes, when it has none yet.
start_synapse() {
  local p=$D/$1 python
  python=$(venv synapse)/bin/python
  [ -s "$p/signing.key" ] || as_synapse "$1" "$python" -m synapse.app.homeserver -c "$p/homeserver.yaml" --generate-keys >"$p/log/keys.txt" 2>&1 </dev/null ||
    { tail "$p/log/keys.txt" >&2; die "$1: no keys"; }
  # Its own session, so that down.sh can end all of it; the pid is written from inside that session.
  (cd "$p" && as_synapse "$1" setsid -f sh -c 'echo $$ >"$0/pid"; exec "$@" >"$0/log/server.txt" 2>&1 </dev/null' "$p" \
    "$python" -m synapse.app.homeserver -c "$p/homeserver.yaml" 9>&-)
  wait_port "$2" 120 && curl -sf -m 60 -o /dev/null "http://127.0.0.1:$2/_matrix/client/versions" ||
    { tail "$p/log/server.txt" >&2; die "$1 does not answer"; }
  [ ! -e "$p/peopled" ] || return 0
  "$python" "$D/bin/people.py" "http://127.0.0.1:$2" only-for-tests $(seq -f 'lane%02g' "${3:-1}" "${4:-$SYNAPSE_LANES}") >"$p/log/people.txt" 2>&1 ||
    { tail "$p/log/people.txt" >&2; die "$1: its agents could not be registered"; }
  touch "$p/peopled"
}

# kill_synapse NAME: at once, as when its machine fails.
kill_synapse() {
  local p
  p=$(cat "$D/$1/pid" 2>/dev/null) || return 0
  kill -9 -- -"$p" 2>/dev/null || true
  wait_gone "$p" 10 || true
}

stop_synapse() {
  local p
  p=$(cat "$D/$1/pid" 2>/dev/null) || return 0
  kill -- -"$p" 2>/dev/null || true
  wait_gone "$p" 10 || kill -9 -- -"$p" 2>/dev/null || true
  rm -f "$D/$1/pid"
}
