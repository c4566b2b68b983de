# gate.sh FILE: hands the mail on standard input to Request Tracker as FILE says ("QUEUE URL").
# rt-mailgate ends with 75 when it cannot reach RT, and the mail waits in the queue.
read -r queue url <"$1" || exit 75
exec /usr/bin/rt-mailgate-5 --action correspond --queue "$queue" --url "$url"
