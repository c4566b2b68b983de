#!/usr/bin/env bash
# Pages, tickets and dashboards as people on call meet them. Reads the shipped files with Prometheus's and Alertmanager's own
# tools, then lets target/debug/replypath watch a desk that breaks, with real Prometheus and Alertmanager on free loopback
# ports, from a private folder.
#   tests/watch/run.sh              all of it, about two and a half minutes
#   tests/watch/run.sh NAME...      only these scenarios of scenarios.py
# Needs Debian's packages prometheus, prometheus-alertmanager and python3, and a build (cargo build). REPLYPATH_KEEP=1 leaves the folder.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
shipped=$here/../../dashboards
python=/usr/bin/python3
for tool in prometheus promtool prometheus-alertmanager amtool "$python" "$here/../../target/debug/replypath"; do
  command -v "$tool" >/dev/null || { echo "watch: $tool is missing; see the head of $0" >&2; exit 1; }
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/replypath-watch-XXXXXX")
trap '[ -n "${REPLYPATH_KEEP:-}" ] && echo "watch: kept $dir" >&2 || rm -rf "$dir"' EXIT
failed=0

ok() { # command...
  local said
  if said=$("$@" 2>&1); then echo "ok: ${*##*/}"; else printf 'FAILED: %s\n%s\n' "$*" "$said"; failed=1; fi
}
goes_to() { # receiver label=value...: who gets an alert with these labels
  ok amtool config routes test --config.file "$shipped/alertmanager.example.yml" --verify.receivers "$@"
}

if [ $# = 0 ]; then
  ok promtool check rules --lint-fatal "$shipped/replypath.rules.yml"
  ok promtool test rules "$shipped/replypath.rules.test.yml"
  ok amtool check-config "$shipped/alertmanager.example.yml"
  goes_to pager severity=critical scope=gateway
  goes_to pager severity=critical scope=security
  goes_to tickets severity=warning scope=probe
  goes_to heartbeat severity=none scope=deadman
  "$python" "$here/dashboards.py" || failed=1
fi
"$python" "$here/scenarios.py" "$dir" "$@" &
trap 'kill $!; wait $!; exit 130' INT TERM
wait $! || failed=1
exit $failed
