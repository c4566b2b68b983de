#!/usr/bin/env bash
# Installs the Debian packages of the test stack that are missing; starts none of their services.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
PACKAGES=(postfix dovecot-core dovecot-imapd dovecot-lmtpd openssl curl request-tracker5 rt5-db-sqlite rt5-clients rt5-standalone starlet msmtp)

missing() {
  local p
  for p in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
  done
}

command -v dpkg-query >/dev/null || { echo "tests: the real parts come from Debian packages, and this is no Debian" >&2; exit 1; }
mapfile -t want < <(missing)
[ ${#want[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "tests: missing packages ${want[*]}; installing them needs root" >&2; exit 1; }

# One installation at a time, so that side-by-side runs do not take away each other's policy file.
exec 9>/var/lock/replypath-install.lock
flock 9
mapfile -t want < <(missing)
[ ${#want[@]} -gt 0 ] || exit 0
echo "tests: installing ${want[*]}" >&2

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
log=$(mktemp)
apt=(apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
try() { "${apt[@]}" install -y --no-install-recommends "${want[@]}" </dev/null >>"$log" 2>&1; }
try || { "${apt[@]}" update </dev/null >>"$log" 2>&1 && try; } || { tail -30 "$log" >&2; echo "tests: installation failed" >&2; exit 1; }
rm -f "$log"
