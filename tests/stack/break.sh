#!/usr/bin/env bash
# Breaks one thing for one lane of a running stack, or mends it; everything else goes on as before.
#   break.sh DIR break FAULT LANE
#   break.sh DIR mend  FAULT LANE
# LANE is 01, 02, ... (lane01@desk.test, queue Lane01). Faults:
#   gateway-stopped   mail is accepted and stays in the desk's queue: its gateway reaches no desk
#   alias-gone        the desk's mail exchange answers 550 5.1.1
#   fetched-twice     the gateway files it twice
#   wrong-queue       the gateway files it into General
#   no-acknowledgement  the queue lost its acknowledgement rule
#   outbound-held     what the queue sends is taken by the desk's own mail server and kept there
#   outbound-refused  ... is refused by it
#   unthreaded        ... loses In-Reply-To and References on its way out
#   noreply           ... leaves with From: noreply@desk.test
#   junk              an agent's answer from this queue ends in the customer's folder Junk
#   split             answers of customers lose what ties them to their ticket
#   discarded         mail to the address is accepted and goes nowhere
#   picky             mail without a subject, or in Latin-1, is accepted and goes nowhere
#   quota             the customer's provider takes no more mail to the address: 550 5.4.5
#   submission-refused  ... refuses it with another code: 554 5.7.1
#   not-reopened      the queue lost the rule that opens a closed ticket for an answer
#   greylisted        the first attempts of a sender are deferred for eight seconds
# at django-helpdesk (lane01@helpdesk.test, queue Lane01):
#   unpolled          the queue's mailbox is no longer fetched
#   default-queue     the form without a choice of queues puts requests into General instead of this lane
# and whole parts that only the tests in question use:
#   break.sh DIR stop|start dovecot2    the second Dovecot (domain letters.test)
#   break.sh DIR start|kill|stop synapse2    the second Synapse; killed means at once
#   break.sh DIR renumber ADDRESS    the customer's INBOX begins a new UIDVALIDITY
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
  "start synapse2" | "kill synapse2" | "stop synapse2")
    . "$HERE/synapse.sh"
    "${act}_synapse" synapse2 "$SYNAPSE2"
    exit
    ;;
esac
if [ "$act" = renumber ]; then
  doveadm -c "$D/dovecot/dovecot.conf" mailbox update --uid-validity "$(($(date +%s) + 100))" -u "$what" INBOX
  exit
fi
case $act in break | mend) ;; *) die "unknown act $act" ;; esac
[ -n "$lane" ] || die "which lane?"
case $what in
  gateway-stopped) put_gate "Lane$lane" "Lane$lane" "$(value http://127.0.0.1:1/ "http://127.0.0.1:$RT_PORT/")" ;;
  wrong-queue) put_gate "Lane$lane" "$(value General "Lane$lane")" "http://127.0.0.1:$RT_PORT/" ;;
  fetched-twice) put_gate "Lane$lane" "Lane$lane" "http://127.0.0.1:$RT_PORT/$(value " twice" "")" ;;
  alias-gone) put_map "$D/desk/recipients" "$address" "$(value "" ok)" ;;
  greylisted)
    rm -f "$D/greylist/"*"_$address"
    put_map "$D/desk/inbound" "$address" "$(value greylisted "")"
    ;;
  discarded) put_map "$D/desk/inbound" "$address" "$(value DISCARD "")" ;;
  picky) put_map "$D/desk/inbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_PICKY" "")" ;;
  quota) put_map "$D/provider/quota" "$address" "$(value "550 5.4.5 Daily user sending limit exceeded" "")" ;;
  submission-refused) put_map "$D/provider/quota" "$address" "$(value "554 5.7.1 sending is suspended for your account" "")" ;;
  split) put_map "$D/desk/inbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_SPLIT" "")" ;;
  outbound-held) put_map "$D/desk/outbound" "$address" "$(value HOLD "")" ;;
  outbound-refused) put_map "$D/desk/outbound" "$address" "$(value "550 5.7.1 sender blocked" "")" ;;
  unthreaded) put_map "$D/desk/outbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_UNTHREAD" "")" ;;
  noreply) put_map "$D/desk/outbound" "$address" "$(value "FILTER smtp:[127.0.0.1]:$DESK_NOREPLY" "")" ;;
  junk) put_map "$D/provider/senders" "$address" "$(value "FILTER smtp:[127.0.0.1]:$PROVIDER_FILTER" "")" ;;
  unpolled)
    . "$HERE/helpdesk.sh"
    as_helpdesk /usr/bin/python3 "$D/bin/helpdesk/switch.py" "$(value unpolled polled)" "lane$lane"
    ;;
  default-queue)
    . "$HERE/helpdesk.sh"
    default_queue "$(value general "lane$lane")"
    ;;
  no-acknowledgement)
    . "$HERE/rt.sh"
    rt_scrip "$(value off on)" "Lane$lane" "On Create Autoreply To Requestors"
    ;;
  not-reopened)
    . "$HERE/rt.sh"
    rt_scrip "$(value off on)" "Lane$lane" "On Correspond Open Inactive Tickets"
    ;;
  *) die "unknown fault $what" ;;
esac
