# Sourced by up.sh and dovecot-switch.sh: two Dovecot servers, so that one of them can be stopped beside running tests.
# dovecot  serves customers.test and signs people in for the submission ports; dovecot2 serves letters.test.

# write_dovecot NAME DOMAIN IMAP-PORT IMAPS-PORT LMTP-PORT
write_dovecot() {
  local p=$D/$1 i
  mkdir -p "$p/run" "$p/state" "$p/log" "$D/mail/$2"
  chmod 755 "$p" "$p/run" "$p/state" "$p/log" "$D/mail"
  chown mail:mail "$D/mail/$2"
  for i in $(seq 1 $CUSTOMERS); do
    echo "customer$i@customers.test:{PLAIN}secret::::::"
    echo "customer$i@letters.test:{PLAIN}secret::::::"
  done >"$p/users"
  for i in general $(seq -f 'lane%02g' 1 $HELPDESK_LANES); do echo "$i@helpdesk.test:{PLAIN}secret::::::"; done >>"$p/users"
  chgrp dovecot "$p/users"
  chmod 640 "$p/users"
  cat >"$p/dovecot.conf" <<E
instance_name = replypath-$1
base_dir = $p/run
state_dir = $p/state
protocols = imap lmtp
listen = 127.0.0.1
log_path = $p/log/mail.log
log_timestamp = "%Y-%m-%dT%H:%M:%S "
recipient_delimiter = +
# Mail to customer1+Junk is put into the folder Junk.
lmtp_save_to_detail_mailbox = yes
hostname = mail.$2
mail_location = maildir:$D/mail/%Ld/%Ln
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 1000
ssl = yes
ssl_cert = <$D/tls/server.pem
ssl_key = <$D/tls/server.key
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Lu
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = scheme=PLAIN $p/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$D/mail/%Ld/%Ln allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
  mailbox Junk {
    special_use = \\Junk
    auto = subscribe
  }
  mailbox Trash {
    special_use = \\Trash
    auto = subscribe
  }
}
service imap-login {
  service_count = 0
  process_min_avail = 1
  process_limit = 4
  client_limit = 2000
  inet_listener imap {
    port = $3
  }
  inet_listener imaps {
    port = $4
    ssl = yes
  }
}
service imap {
  process_limit = 1000
}
service lmtp {
  process_min_avail = 1
  inet_listener lmtp {
    address = 127.0.0.1
    port = $5
  }
}
service auth {
  client_limit = 4000
  unix_listener auth-postfix {
    path = $([ "$1" = dovecot ] && echo "$D/provider/spool/private/auth" || echo "$p/run/auth-unused")
    mode = 0660
    user = postfix
    group = postfix
  }
}
service anvil {
  client_limit = 4000
  # Every client here is 127.0.0.1: one wrong password must not slow down all sign-ins.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  client_limit = 4000
}
E
}

start_dovecot() {
  # Not on our own output: a daemon that keeps a caller's pipe open would hang the caller.
  dovecot -c "$D/$1/dovecot.conf" >"$D/$1/log/start.txt" 2>&1 </dev/null || { cat "$D/$1/log/start.txt" >&2; die "$1 did not start"; }
}

stop_dovecot() {
  local p
  p=$(pid_of "$D/$1/run/master.pid" dovecot) || return 0
  kill "$p" 2>/dev/null || true
  wait_gone "$p" 10 || kill -9 "$p" 2>/dev/null || true
}
