# Sourced by up.sh: django-helpdesk on SQLite with gunicorn, as user www-data. Lane NN is the queue LaneNN with the number
# NN and the address laneNN@helpdesk.test; its mail lies in a mailbox of the first Dovecot and is fetched from there.
# A second web server has a form without a choice of queues: what it puts them into is a setting (default_queue).

HELPDESK_LANES=20
HELPDESK_POLL=2    # seconds between two rounds of fetching mail

as_helpdesk() {
  setpriv --reuid www-data --regid www-data --clear-groups env HOME="$D/helpdesk" HELPDESK_DIR="$D/helpdesk" HELPDESK_MAIL_PORT="$DESK_OUT" \
    PYTHONPATH="$D/bin/helpdesk" PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=settings "$@"
}

write_helpdesk() {
  local p=$D/helpdesk i
  mkdir -p "$p/log" "$p/media" "$D/bin/helpdesk" "$D/mail/helpdesk.test"
  install -m 644 "$HERE"/helpdesk/*.py "$D/bin/helpdesk/"
  : >"$p/poll.lock"
  chown -R www-data:www-data "$p"
  chown mail:mail "$D/mail/helpdesk.test"
}

init_helpdesk() {
  local p=$D/helpdesk
  [ ! -e "$p/made" ] || return 0
  rm -f "$p/db.sqlite3"
  as_helpdesk "$(venv helpdesk)/bin/python" "$D/bin/helpdesk/make.py" "$IMAP" "http://127.0.0.1:$HELPDESK" $HELPDESK_LANES \
    >"$p/log/make.txt" 2>&1 </dev/null || { tail -20 "$p/log/make.txt" >&2; die "django-helpdesk's database could not be made"; }
  touch "$p/made"
}

# start_helpdesk_part NAME COMMAND...: in a session of its own, its pid in NAME.pid.
start_helpdesk_part() {
  local name=$1
  shift
  as_helpdesk setsid -f sh -c 'echo $$ >"$0.pid"; exec "$@" >"$0.txt" 2>&1 </dev/null' "$D/helpdesk/log/$name" "$@" 9>&-
}

start_helpdesk_web() { # NAME PORT WORKERS [DEFAULT-QUEUE]
  start_helpdesk_part "$1" env HELPDESK_DEFAULT_QUEUE="${4:-}" "$(venv helpdesk)/bin/gunicorn" -w "$3" --threads 4 --no-control-socket -b "127.0.0.1:$2" wsgi
}

start_helpdesk() {
  start_helpdesk_web web "$HELPDESK" 2
  start_helpdesk_web web-default "$HELPDESK_DEFAULT" 1 lane20
  start_helpdesk_part poll "$(venv helpdesk)/bin/python" "$D/bin/helpdesk/poll.py" $HELPDESK_POLL
}

# default_queue QUEUE: the second web server starts again with another setting.
default_queue() {
  stop_helpdesk_part web-default
  start_helpdesk_web web-default "$HELPDESK_DEFAULT" 1 "$1"
  wait_helpdesk "$HELPDESK_DEFAULT"
}

# wait_helpdesk PORT: until it answers, which is later than that the port is open.
wait_helpdesk() {
  wait_port "$1" 60 && curl -sf -m 60 -o /dev/null "http://127.0.0.1:$1/tickets/submit/" || die "django-helpdesk does not answer; see $D/helpdesk/log"
}

stop_helpdesk_part() {
  local file=$D/helpdesk/log/$1.pid p
  p=$(cat "$file" 2>/dev/null) || return 0
  kill -- -"$p" 2>/dev/null || true
  wait_gone "$p" 10 || kill -9 -- -"$p" 2>/dev/null || true
  rm -f "$file"
}

stop_helpdesk() {
  local part
  for part in poll web web-default; do stop_helpdesk_part $part & done
  wait
}
