#!/usr/bin/env bash
# up.sh DIR: starts the customer's mail provider (Postfix, Dovecot), the desks' mail exchange (Postfix), Request Tracker,
# django-helpdesk and Matrix Synapse below DIR, on free loopback ports, and writes DIR/env. down.sh DIR stops them. Needs root.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ $# = 1 ] || die "usage: up.sh DIR"
[ "$(id -u)" = 0 ] || die "needs root: Postfix and Dovecot start as root and give it up themselves"
open_dir "$1"
for f in postfix dovecot rt helpdesk synapse; do . "$HERE/$f.sh"; done

make_certificates() {
  local t=$D/tls
  mkdir -p "$t"
  [ ! -s "$t/server.pem" ] || return 0
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=replypath test CA" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$t/ca.key" -out "$t/ca.pem" 2>/dev/null
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" -keyout "$t/server.key" -out "$t/server.csr" 2>/dev/null
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,DNS:mail.customers.test,DNS:mail.letters.test,DNS:mx.desk.test,IP:127.0.0.1\n' >"$t/ext"
  openssl x509 -req -in "$t/server.csr" -CA "$t/ca.pem" -CAkey "$t/ca.key" -CAcreateserial -days 30 -extfile "$t/ext" -out "$t/server.crt" 2>/dev/null
  cat "$t/server.crt" "$t/ca.pem" >"$t/server.pem"
  chmod 600 "$t"/*.key
}

write_env() {
  cat >"$D/env.new" <<E
STACK=$D
SCRIPTS=$HERE
$(cat "$D/ports")
RT_URL=$RT_URL
RT_TOKEN=$(cat "$D/rt/token")
HELPDESK_URL=http://127.0.0.1:$HELPDESK
HELPDESK_DEFAULT_URL=http://127.0.0.1:$HELPDESK_DEFAULT
SYNAPSE_URL=http://127.0.0.1:$SYNAPSE
SYNAPSE2_URL=http://127.0.0.1:$SYNAPSE2
CA=$D/tls/ca.pem
LANES=$LANES
CUSTOMERS=$CUSTOMERS
E
  mv "$D/env.new" "$D/env"
}

# One inotify instance for each mailbox that waits with IDLE; the usual limit of 128 is too few.
limit=/proc/sys/fs/inotify/max_user_instances
if [ -r $limit ] && [ "$(cat $limit)" -lt 4096 ]; then (echo 4096 >$limit) 2>/dev/null || echo "stack: $limit stays at $(cat $limit)" >&2; fi

# From choosing the ports to binding them nobody else may choose.
exec 9>/var/lock/replypath-ports.lock
flock -w 300 9 || die "another stack has been starting for five minutes"
perl "$HERE/ports.pl" PROVIDER_MX SUBMISSION SUBMISSIONS PROVIDER_FILTER PROVIDER_JUNK IMAP IMAPS LMTP IMAP2 IMAPS2 LMTP2 \
  DESK_MX DESK_OUT DESK_SPLIT DESK_UNTHREAD DESK_NOREPLY DESK_PICKY RT_PORT HELPDESK HELPDESK_DEFAULT SYNAPSE SYNAPSE2 >"$D/ports"
. "$D/ports"
RT_URL=http://127.0.0.1:$RT_PORT

make_certificates
write_provider
write_desk
write_dovecot dovecot customers.test "$IMAP" "$IMAPS" "$LMTP"
write_dovecot dovecot2 letters.test "$IMAP2" "$IMAPS2" "$LMTP2"
write_rt
write_helpdesk
write_synapse synapse "$SYNAPSE"
write_synapse synapse2 "$SYNAPSE2"

# ready NAME COMMAND...: says how long it took.
ready() {
  local name=$1 start=$SECONDS
  shift
  for command; do $command; done
  echo "stack: $name after $((SECONDS - start)) s" >&2
}

mail_ready() {
  start_dovecot dovecot 9>&-
  start_dovecot dovecot2 9>&-
  start_postfix provider 9>&-
  start_postfix desk 9>&-
  local name port
  while IFS== read -r name port; do
    case $name in RT_PORT | HELPDESK* | SYNAPSE*) continue ;; esac
    wait_port "$port" 60 || die "port $port ($name) did not open; see $D/*/log"
  done <"$D/ports"
}

rt_ready() {
  start_rt
  wait_port "$RT_PORT" 60 || die "Request Tracker did not start; see $D/rt/log"
  # The first request compiles RT's pages; let it happen now.
  curl -sf -m 60 -o "$D/rt/log/first.json" -H "Authorization: token $(cat "$D/rt/token")" "$RT_URL/REST/2.0/rt" || die "Request Tracker does not answer; see $D/rt/log"
}

helpdesk_ready() {
  start_helpdesk
  wait_helpdesk "$HELPDESK"
  wait_helpdesk "$HELPDESK_DEFAULT"
}

# Side by side: each of them computes a few seconds on one core.
ready "Request Tracker" init_rt rt_ready &
rt=$!
ready "django-helpdesk" init_helpdesk helpdesk_ready &
helpdesk=$!
ready "Synapse" "start_synapse synapse $SYNAPSE" &
synapse=$!
ready "mail" mail_ready
for part in $rt $helpdesk $synapse; do wait "$part" || die "not all parts started"; done
flock -u 9
write_env
