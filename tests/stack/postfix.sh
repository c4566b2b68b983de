# Sourced by up.sh: two Postfix instances, each in its own folder with its own queue and log.

# common_main NAME HOSTNAME
common_main() {
  cat <<E
compatibility_level = 3.6
queue_directory = $D/$1/spool
data_directory = $D/$1/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = $D/$1/log/mail.log
maillog_file_prefixes = $D/$1/log
myhostname = $2
mydomain = ${2#*.}
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_bind_address = 127.0.0.1
mynetworks = 127.0.0.0/8
append_dot_mydomain = no
biff = no
message_size_limit = 26214400
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_tls_chain_files = $D/tls/server.key, $D/tls/server.pem
smtpd_tls_security_level = may
smtpd_tls_loglevel = 0
smtp_tls_security_level = may
smtp_tls_CAfile = $D/tls/ca.pem
default_transport = error:5.4.4 no host outside is reachable
in_flow_delay = 0
queue_run_delay = 3s
minimal_backoff_time = 3s
maximal_backoff_time = 6s
lmtp_destination_recipient_limit = 1
smtp_connection_cache_on_demand = no
E
}

common_master() {
  cat <<'E'
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
E
}

# A listener that only takes mail handed on by the same Postfix and passes it through its own cleanup.
# inner_listener PORT NAME CLEANUP-OPTION...
inner_listener() {
  local port=$1 name=$2 o
  shift 2
  printf '127.0.0.1:%s inet n - n - - smtpd\n  -o syslog_name=postfix/%s\n  -o cleanup_service_name=cleanup-%s\n' "$port" "$name" "$name"
  # Another greeting than our own name, or the sending side takes it for a loop.
  printf '  -o myhostname=%s.inner.test\n  -o smtpd_recipient_restrictions=\n  -o smtpd_sender_restrictions=\n' "$name"
  printf '  -o smtpd_relay_restrictions=permit_mynetworks,reject\n  -o relay_recipient_maps=\n'
  printf 'cleanup-%s unix n - n - 0 cleanup\n  -o syslog_name=postfix/%s\n' "$name" "$name"
  for o in "$@"; do printf '  -o %s\n' "$o"; done
}

prepare_postfix() {
  local p=$D/$1
  mkdir -p "$p/spool" "$p/data" "$p/log"
  chmod 755 "$p" "$p/spool" "$p/log"
  chown postfix "$p/data"
  mkdir -p "$p/spool/private"
  chown postfix "$p/spool/private"
  chmod 700 "$p/spool/private"
}

# The customer's provider: submission with signing in, a queue, and mailboxes in Dovecot.
write_provider() {
  local p=$D/provider
  prepare_postfix provider
  {
    common_main provider mail.customers.test
    cat <<E
recipient_delimiter = +
virtual_mailbox_domains = customers.test letters.test
virtual_mailbox_maps = regexp:$p/mailboxes
virtual_transport = lmtp:inet:127.0.0.1:$LMTP
transport_maps = hash:$p/transport
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_sender_restrictions = check_sender_access hash:$p/senders
submission_recipient_restrictions = check_recipient_access hash:$p/quota
E
  } >"$p/main.cf"
  {
    cat <<E
127.0.0.1:$PROVIDER_MX inet n - n - - smtpd
127.0.0.1:$SUBMISSION inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=\$submission_recipient_restrictions
  -o smtpd_sender_restrictions=
127.0.0.1:$SUBMISSIONS inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=\$submission_recipient_restrictions
  -o smtpd_sender_restrictions=
E
    common_master
    # The spam filter: what it suspects goes on to a listener that adds +Junk to the recipient.
    inner_listener "$PROVIDER_FILTER" filter "header_checks=regexp:$p/suspect"
    inner_listener "$PROVIDER_JUNK" junk "recipient_canonical_maps=regexp:$p/to-junk"
  } >"$p/master.cf"
  cat >"$p/mailboxes" <<'E'
/^customer[1-9][0-9]?(\+[^@]*)?@(customers|letters)\.test$/ ok
E
  # An agent's answer; acknowledgements carry the customer's own address here.
  printf '/^X-RT-Originator: *(monitor|agent1)@/ FILTER smtp:[127.0.0.1]:%s\n' "$PROVIDER_JUNK" >"$p/suspect"
  printf '/^([^@+]+)@((customers|letters)\\.test)$/ $1+Junk@$2\n' >"$p/to-junk"
  printf '%s smtp:[127.0.0.1]:%s\n' desk.test "$DESK_MX" helpdesk.test "$DESK_MX" >"$p/transport"
  echo "letters.test lmtp:inet:127.0.0.1:$LMTP2" >>"$p/transport"
  : >"$p/senders"
  : >"$p/quota"
  local i
  for i in transport senders quota; do build_map "$p/$i"; done
}

# The desks' mail exchange: known addresses only, each piped into Request Tracker or laid into a mailbox from which
# django-helpdesk fetches it; and their way out.
write_desk() {
  local p=$D/desk i
  prepare_postfix desk
  {
    common_main desk mx.desk.test
    cat <<E
relay_domains = desk.test helpdesk.test
relay_recipient_maps = hash:$p/recipients
transport_maps = hash:$p/transport
rt_destination_recipient_limit = 1
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_restriction_classes = greylisted
greylisted = check_policy_service unix:private/greylist
smtpd_recipient_restrictions = reject_unlisted_recipient, check_recipient_access hash:$p/inbound
E
  } >"$p/main.cf"
  {
    cat <<E
127.0.0.1:$DESK_MX inet n - n - - smtpd
127.0.0.1:$DESK_OUT inet n - n - - smtpd
  -o syslog_name=postfix/out
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=
  -o smtpd_sender_restrictions=check_sender_access,hash:$p/outbound
rt        unix  - n n - 3 pipe
  flags=R user=nobody argv=/bin/sh $D/bin/gate.sh $p/gates/\${nexthop}
greylist  unix  - n n - 0 spawn
  user=nobody argv=/usr/bin/perl $D/bin/greylist.pl $D/greylist 8
E
    common_master
    inner_listener "$DESK_SPLIT" split "header_checks=regexp:$p/split"
    inner_listener "$DESK_UNTHREAD" unthread "header_checks=regexp:$p/unthread"
    inner_listener "$DESK_NOREPLY" noreply "header_checks=regexp:$p/noreply"
    inner_listener "$DESK_PICKY" picky "header_checks=regexp:$p/picky"
  } >"$p/master.cf"
  # What ties a follow-up to its ticket: the references and the tag in the subject.
  cat >"$p/split" <<'E'
/^(In-Reply-To|References|Thread-Index|Thread-Topic):/ IGNORE
/^Subject:(.*)\[desk\.test +#[0-9]+\](.*)$/ REPLACE Subject:$1$2
E
  cat >"$p/unthread" <<'E'
/^(In-Reply-To|References|Thread-Index|Thread-Topic):/ IGNORE
E
  cat >"$p/noreply" <<'E'
/^From:/ REPLACE From: "Support" <noreply@desk.test>
E
  # What an import that cannot read such mail makes of it: nothing, and nobody is told.
  cat >"$p/picky" <<'E'
/^Subject:[[:space:]]*$/ DISCARD
/^Content-Type:.*charset="?iso-8859-1/ DISCARD
E
  printf 'customers.test smtp:[127.0.0.1]:%s\nletters.test smtp:[127.0.0.1]:%s\n' "$PROVIDER_MX" "$PROVIDER_MX" >"$p/transport"
  mkdir -p "$p/gates" "$D/bin"
  : >"$p/recipients"
  gate() {
    echo "$1@desk.test rt:$2" >>"$p/transport"
    echo "$1@desk.test ok" >>"$p/recipients"
    put_gate "$2" "$2" "$RT_URL/"
  }
  # An address that takes everything and never answers.
  echo "sink@desk.test discard:" >>"$p/transport"
  echo "sink@desk.test ok" >>"$p/recipients"
  gate support General
  gate billing Billing
  for i in $(seq -w 1 $LANES); do gate "lane$i" "Lane$i"; done
  echo "helpdesk.test lmtp:inet:127.0.0.1:$LMTP" >>"$p/transport"
  for i in general $(seq -f 'lane%02g' 1 $HELPDESK_LANES); do echo "$i@helpdesk.test ok" >>"$p/recipients"; done
  : >"$p/inbound"
  : >"$p/outbound"
  for i in transport recipients inbound outbound; do build_map "$p/$i"; done
  mkdir -p "$D/greylist"
  chown nobody "$D/greylist"
  install -m 644 "$HERE/greylist.pl" "$HERE/gate.sh" "$D/bin/"
}

start_postfix() {
  # postfix-script speaks of the machine's own instance, which is not configured; the log has the facts.
  postfix -c "$D/$1" start >"$D/$1/log/start.txt" 2>&1 </dev/null || { cat "$D/$1/log/start.txt" >&2; die "postfix ($1) did not start"; }
}

stop_postfix() {
  local p
  p=$(pid_of "$D/$1/spool/pid/master.pid" master) || return 0
  postfix -c "$D/$1" stop >/dev/null 2>&1 </dev/null || true
  wait_gone "$p" 10 || kill -9 "$p" 2>/dev/null || true
}
