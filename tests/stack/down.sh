#!/usr/bin/env bash
# down.sh DIR: stops what up.sh DIR started; the files stay.
set -uo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ $# = 1 ] || die "usage: down.sh DIR"
D=$(readlink -m "$1")
[ -d "$D" ] || exit 0
for f in postfix dovecot rt helpdesk synapse; do . "$HERE/$f.sh"; done
stop_postfix provider &
stop_postfix desk &
stop_dovecot dovecot &
stop_dovecot dovecot2 &
stop_rt &
stop_helpdesk &
stop_synapse synapse &
stop_synapse synapse2 &
wait
