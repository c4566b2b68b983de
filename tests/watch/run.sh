#!/usr/bin/env bash
# The rules, their tests and the Alertmanager example, read by Prometheus's and Alertmanager's own tools.
# Says what it skipped where Debian's packages prometheus and prometheus-alertmanager are not installed.
set -euo pipefail
cd "$(dirname "$0")/../../dashboards"
failed=0
with() { # tool arguments...
  if ! command -v "$1" >/dev/null; then echo "skipped: $* ($1 is not installed)"; return; fi
  local said
  if said=$("$@" 2>&1); then echo "ok: $*"; else printf 'FAILED: %s\n%s\n' "$*" "$said"; failed=1; fi
}
with promtool check rules replypath.rules.yml
with promtool test rules replypath.rules.test.yml
with amtool check-config alertmanager.example.yml
exit $failed
