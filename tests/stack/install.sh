#!/usr/bin/env bash
# Installs what the tests need and is missing: Debian packages (starts none of their services), the desks, the chat server and
# schemathesis, which come from PyPI, and axe-core, which comes from npm.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"
export DEBIAN_FRONTEND=noninteractive
PACKAGES=(postfix dovecot-core dovecot-imapd dovecot-lmtpd openssl curl request-tracker5 rt5-db-sqlite rt5-clients rt5-standalone starlet msmtp python3-venv chromium chromium-driver prometheus prometheus-alertmanager)
command -v npm >/dev/null || PACKAGES+=(npm)

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

# once NAME FOLDER COMMAND...: fills the folder by the command, unless that was done before.
once() {
  local name=$1 at=$2 log
  shift 2
  [ ! -e "$at/ready" ] || return 0
  lock "$name"
  [ ! -e "$at/ready" ] || return 0
  echo "tests: installing $name" >&2
  rm -rf "$at"
  mkdir -p "$KEPT"
  log=$(mktemp)
  "$@" </dev/null >"$log" 2>&1 || { tail -30 "$log" >&2; echo "tests: installation of $name failed" >&2; exit 1; }
  rm -f "$log"
  touch "$at/ready"
}

# pypi NAME: every package of NAME/requirements.txt, into a folder of its own.
pypi() { once "$1" "$(venv "$1")" fill_venv "$(venv "$1")" "$HERE/$1/requirements.txt"; }
fill_venv() {
  /usr/bin/python3 -m venv "$1" &&
    timeout 600 "$1/bin/pip" -q --disable-pip-version-check --no-input install --retries 3 --only-binary :all: --no-deps -r "$2"
}

# npm_package NAME@VERSION: it alone, into a folder of its own.
npm_package() {
  once "$1" "$KEPT/$1" timeout 600 npm install --prefix "$KEPT/$1" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund "$1"
}

command -v dpkg-query >/dev/null || { echo "tests: the real parts come from Debian packages, and this is no Debian" >&2; exit 1; }
debian
pypi helpdesk
pypi synapse
pypi schemathesis
npm_package "$AXE"
