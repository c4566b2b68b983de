#!/usr/bin/env bash
# Breaks one thing for one lane of a running stack, or mends it; everything else goes on as before.
#   break.sh DIR break FAULT LANE
#   break.sh DIR mend  FAULT LANE
# LANE is 01, 02, ... (lane01@desk.test, queue Lane01). Faults:
#   gateway-stopped   mail is accepted and stays in the desk's queue: its gateway reaches no desk
#   alias-gone        the desk's mail exchange answers 550 5.1.1
#   wrong-queue       the gateway files it into General
#   no-acknowledgement  the queue lost its acknowledgement rule
#   outbound-held     what the queue sends is taken by the desk's own mail server and kept there
#   outbound-refused  ... is refused by it
#   unthreaded        ... loses In-Reply-To and References on its way out
#   noreply           ... leaves with From: noreply@desk.test
#   junk              an agent's answer from this queue ends in the customer's folder Junk
#   split             answers of customers lose what ties them to their ticket
#   greylisted        the first attempts of a sender are deferred for eight seconds
# and for the second Dovecot (domain letters.test), whole:
#   break.sh DIR stop dovecot2 / break.sh DIR start dovecot2
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ $# -ge 3 ] || die "usage: break.sh DIR break|mend FAULT LANE"
D=$(readlink -f "$1")
. "$D/ports"
act=$2 what=$3 lane=${4:-} address=lane${4:-}@desk.test

# value BROKEN HEALTHY
value() { if [ "$act" = break ]; then echo "$1"; else echo "$2"; fi; }

case "$act $what" in
  "stop dovecot2" | "start dovecot2")
    . "$HERE/dovecot.sh"
    "${act}_dovecot" dovecot2
    [ "$act" = stop ] || { wait_port "$IMAPS2" 30 && wait_port "$LMTP2" 30; }
    exit
    ;;
esac
case $act in break | mend) ;; *) die "unknown act $act" ;; esac
[ -n "$lane" ] || die "which lane?"
case $what in
  gateway-stopped) put_gate "Lane$lane" "Lane$lane" "$(value http://127.0.0.1:1/ "http://127.0.0.1:$RT_PORT/")" ;;
  wrong-queue) put_gate "Lane$lane" "$(value General "Lane$lane")" "http://127.0.0.1:$RT_PORT/" ;;
  alias-gone) put_map "$D/desk/recipients" "$address" "$(value "" ok)" ;;
  greylisted)
    rm -f "$D/greylist/"*"_$address"
    put_map "$D/desk/inbound" "$address" "$(value greylisted "")"
    ;;
  split) put_map "$D/desk/inbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_SPLIT" "")" ;;
  outbound-held) put_map "$D/desk/outbound" "$address" "$(value HOLD "")" ;;
  outbound-refused) put_map "$D/desk/outbound" "$address" "$(value "550 5.7.1 sender blocked" "")" ;;
  unthreaded) put_map "$D/desk/outbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_UNTHREAD" "")" ;;
  noreply) put_map "$D/desk/outbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_NOREPLY" "")" ;;
  junk) put_map "$D/provider/senders" "$address" "$(value "FILTER smtp:[127.0.0.1]:$PROVIDER_FILTER" "")" ;;
  no-acknowledgement)
    . "$HERE/rt.sh"
    (cd "$D/rt" && as_rt perl "$D/bin/rt-scrip.pl" "$(value off on)" "Lane$lane")
    ;;
  *) die "unknown fault $what" ;;
esac
