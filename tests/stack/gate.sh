# gate.sh FILE: hands the mail on standard input to Request Tracker as FILE says ("QUEUE URL").
# rt-mailgate ends with 75 when it cannot reach RT, and the mail waits in the queue.
# With the word "twice" behind it, as when two fetchers empty the same mailbox.
read -r queue url twice <"$1" || exit 75
[ "$twice" = twice ] || exec /usr/bin/rt-mailgate-5 --action correspond --queue "$queue" --url "$url"
mail=$(cat)
for fetcher in 1 2; do printf '%s\n' "$mail" | /usr/bin/rt-mailgate-5 --action correspond --queue "$queue" --url "$url" || exit; done
