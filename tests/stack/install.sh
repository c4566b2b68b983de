#!/usr/bin/env bash
# Installs what the test stack needs and is missing: Debian packages (starts none of their services), and the desks and
# the chat server that come from PyPI.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"
export DEBIAN_FRONTEND=noninteractive
PACKAGES=(postfix dovecot-core dovecot-imapd dovecot-lmtpd openssl curl request-tracker5 rt5-db-sqlite rt5-clients rt5-standalone starlet msmtp python3-venv chromium chromium-driver prometheus prometheus-alertmanager)

missing() {
  local p
  for p in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
  done
}

# One installation at a time, so that side-by-side runs do not take away each other's policy file.
lock() {
  [ "$(id -u)" = 0 ] || { echo "tests: missing $*; installing needs root" >&2; exit 1; }
  exec 9>/var/lock/replypath-install.lock
  flock 9
}

debian() {
  local policy=/usr/sbin/policy-rc.d log apt
  mapfile -t want < <(missing)
  [ ${#want[@]} -gt 0 ] || return 0
  lock "${want[@]}"
  mapfile -t want < <(missing)
  [ ${#want[@]} -gt 0 ] || return 0
  echo "tests: installing ${want[*]}" >&2
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
  log=$(mktemp)
  apt=(apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  try() { "${apt[@]}" install -y --no-install-recommends "${want[@]}" </dev/null >>"$log" 2>&1; }
  try || { "${apt[@]}" update </dev/null >>"$log" 2>&1 && try; } || { tail -30 "$log" >&2; echo "tests: installation failed" >&2; exit 1; }
  rm -f "$log"
}

# pypi NAME: every package of NAME/requirements.txt, into a folder of its own.
pypi() {
  local at log
  at=$(venv "$1")
  [ ! -e "$at/ready" ] || return 0
  lock "$1"
  [ ! -e "$at/ready" ] || return 0
  echo "tests: installing $1" >&2
  rm -rf "$at"
  mkdir -p "$VENVS"
  log=$(mktemp)
  { /usr/bin/python3 -m venv "$at" &&
    timeout 600 "$at/bin/pip" -q --disable-pip-version-check --no-input install --retries 3 --only-binary :all: --no-deps -r "$HERE/$1/requirements.txt"; } \
    </dev/null >"$log" 2>&1 || { tail -30 "$log" >&2; echo "tests: installation of $1 failed" >&2; exit 1; }
  rm -f "$log"
  touch "$at/ready"
}

command -v dpkg-query >/dev/null || { echo "tests: the real parts come from Debian packages, and this is no Debian" >&2; exit 1; }
debian
pypi helpdesk
pypi synapse
