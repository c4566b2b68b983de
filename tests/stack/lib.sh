# Sourced by the other scripts: where things are, and how a lookup table of a running Postfix is changed.
export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
LANES=48        # desk addresses with a queue of their own: lane01@desk.test is queue Lane01, and so on
CUSTOMERS=99    # customer1@customers.test and so on
KEPT=/var/cache/replypath-tests    # what install.sh takes from PyPI and npm; every stack uses it, none writes to it
AXE=axe-core@4.14.1

die() { echo "stack: $*" >&2; exit 1; }

# The folder must be searchable by the users that the daemons change to.
open_dir() {
  D=$(readlink -m "$1")
  local p=$D
  mkdir -p "$D"
  chmod 755 "$D"
  while [ "$p" != / ]; do
    p=$(dirname "$p")
    case $(stat -Lc %A "$p") in *x | *t) ;; *) die "$p is not searchable by other users; choose another folder" ;; esac
  done
  # Sockets live below it, and their paths may have 107 bytes.
  [ ${#D} -le 60 ] || die "$D: the path is too long for sockets"
}

# port_open PORT
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_port PORT SECONDS
wait_port() {
  local end=$((SECONDS + $2))
  until port_open "$1"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

# wait_gone PID SECONDS
wait_gone() {
  local end=$((SECONDS + $2))
  while kill -0 "$1" 2>/dev/null; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

# The pid in FILE when that process still is NAME.
pid_of() {
  local p
  p=$(tr -d ' \n' <"$1" 2>/dev/null) || return 1
  [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = "$2" ] && echo "$p"
}

# build_map FILE: makes FILE.db. smtpd looks before each client whether a table changed, and looks at the whole second of
# the file's time, so each build gets a second of its own.
build_map() {
  local now last
  now=$(date +%s)
  last=$(cat "$1.stamp" 2>/dev/null || echo 0)
  [ "$now" -gt "$last" ] || now=$((last + 1))
  echo "$now" >"$1.stamp"
  postmap -c "$(dirname "$1")" "hash:$1"
  touch -d "@$now" "$1" "$1.db"
}

# put_map FILE KEY VALUE: sets one line of a table that only smtpd reads (or removes it, when VALUE is empty).
# No reload: that would put off by five minutes whatever another test has under way.
put_map() {
  (
    flock 9
    awk -v k="$2" '$1 != k' "$1" >"$1.new"
    [ -z "$3" ] || printf '%s %s\n' "$2" "$3" >>"$1.new"
    cat "$1.new" >"$1"
    rm -f "$1.new"
    build_map "$1"
  ) 9>"$D/maps.lock"
}

# put_gate LANE QUEUE URL: where the desk's gateway files mail to that lane.
put_gate() {
  echo "$2 $3" >"$D/desk/gates/.$1.$$"
  mv "$D/desk/gates/.$1.$$" "$D/desk/gates/$1"
}

# venv NAME: the folder of the Python packages that NAME/requirements.txt lists; a changed list is another folder.
venv() {
  local key
  key=$({ /usr/bin/python3 --version; cat "$HERE/$1/requirements.txt"; } | sha256sum)
  echo "$KEPT/$1-${key:0:12}"
}

# axe: the script of axe-core.
axe() { echo "$KEPT/$AXE/node_modules/axe-core/axe.min.js"; }
