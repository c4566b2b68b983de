# Sourced by up.sh: Request Tracker 5 on SQLite with its own web server, as user www-data.

write_rt() {
  local p=$D/rt
  mkdir -p "$p/conf.d" "$p/log" "$p/cache/mason" "$p/cache/session" "$p/db"
  cat >"$p/msmtprc" <<E
account default
auth off
tls off
host 127.0.0.1
port $DESK_OUT
domain rt.desk.test
E
  # RT calls this as its sendmail; the envelope sender is the address of the queue.
  printf '#!/bin/sh\nexec msmtp -C %s/msmtprc --read-envelope-from -t\n' "$p" >"$p/sendmail"
  chmod 755 "$p/sendmail"
  cat >"$p/RT_SiteConfig.pm" <<E
use utf8;
Set(\$rtname, 'desk.test');
Set(\$Organization, 'desk.test');
Set(\$WebDomain, '127.0.0.1');
Set(\$WebPort, $RT_PORT);
Set(\$WebPath, '');
Set(\$Timezone, 'UTC');
Set(\$CorrespondAddress, 'support@desk.test');
Set(\$CommentAddress, 'support-comment@desk.test');
Set(\$OwnerEmail, 'root@desk.test');
Set(\$RTAddressRegexp, '^(support|billing|support-comment|noreply|lane[0-9]+)\@desk\.test\$');
Set(\$DatabaseType, 'SQLite');
Set(\$DatabaseName, '$p/db/rt.sqlite');
Set(\$LogToSyslog, undef);
Set(\$LogToFile, 'info');
Set(\$LogDir, '$p/log');
Set(\$LogToFileNamed, 'rt.log');
Set(\$LogToSTDERR, 'error');
Set(\$MailCommand, 'sendmailpipe');
Set(\$SendmailPath, '$p/sendmail');
Set(\$SendmailArguments, '-t');
Set(\$MasonDataDir, '$p/cache/mason');
Set(\$MasonSessionDir, '$p/cache/session');
Set(\$WebSessionClass, 'Apache::Session::File');
# Without it a search by content always answers with nothing.
Set(%FullTextSearch, Enable => 1, Indexed => 0);
# Each call brings a token, and with the usual cost of its hash (12) nearly all of a call's time is that hash.
Set(\$BcryptCost, 4);
1;
E
  chown -R www-data:www-data "$p"
}

as_rt() { setpriv --reuid www-data --regid www-data --clear-groups env HOME="$D/rt" RT_SITE_CONFIG="$D/rt/RT_SiteConfig.pm" RT_SITE_CONFIG_DIR="$D/rt/conf.d" "$@"; }

# rt_scrip on|off QUEUE RULE
rt_scrip() { (cd "$D/rt" && as_rt perl "$D/bin/rt-scrip.pl" "$@"); }

init_rt() {
  local p=$D/rt
  [ ! -s "$p/token" ] || return 0
  rm -f "$p/db/rt.sqlite"
  install -m 644 "$HERE/rt-data.pl" "$HERE/rt-setup.pl" "$HERE/rt-scrip.pl" "$D/bin/"
  (cd "$p" && as_rt rt-setup-database-5 --action init --dba '' --dba-password '' >"$p/log/setup.txt" 2>&1 &&
    REPLYPATH_LANES=$LANES as_rt rt-setup-database-5 --action insert --datafile "$D/bin/rt-data.pl" --dba '' --dba-password '' >>"$p/log/setup.txt" 2>&1 &&
    as_rt perl "$D/bin/rt-setup.pl" >"$p/token.new" 2>>"$p/log/setup.txt") || { tail -20 "$p/log/setup.txt" >&2; die "Request Tracker's database could not be made"; }
  mv "$p/token.new" "$p/token"
}

start_rt() {
  local p=$D/rt
  # Its own session, so that down.sh can end the workers with it; the pid is written from inside that session.
  (cd "$p" && as_rt setsid -f sh -c 'echo $$ >"$0/pid"; exec "$@" >"$0/log/server.txt" 2>&1 </dev/null' "$p" \
    /usr/share/request-tracker5/libexec/rt-server --server Starlet --host 127.0.0.1 --port "$RT_PORT" --max-workers 4 9>&-)
}

stop_rt() {
  local p
  p=$(cat "$D/rt/pid" 2>/dev/null) || return 0
  kill -- -"$p" 2>/dev/null || kill "$p" 2>/dev/null || true
  wait_gone "$p" 10 || kill -9 -- -"$p" 2>/dev/null || true
  rm -f "$D/rt/pid"
}
