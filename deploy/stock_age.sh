#!/bin/sh
# Put an age that knows hybrid keys (1.3 or later) into .peers/bin, for the tests with peers and for
# docs/RECOVERY.md. Usage: deploy/stock_age.sh. Needs no root, and installs nothing outside .peers.
#
# 1. An age on PATH that is new enough is linked to.
# 2. Otherwise, where the system is Debian's: its package of testing or unstable, fetched from the
#    mirror that the system uses already, verified by apt against Debian's keys, and unpacked.
# 3. Otherwise it says what to install.
set -eu
cd "$(dirname "$0")/.."
bin=.peers/bin

new_enough() { # hybrid keys are what 1.3 brought
  command -v "$1" >/dev/null 2>&1 && "$1"-keygen -pq >/dev/null 2>&1
}

link() {
  mkdir -p "$bin"
  for program in age age-keygen age-plugin-pq; do
    [ ! -x "$1/$program" ] || ln -sf "$1/$program" "$bin/$program"
  done
  echo "age $("$bin/age" --version) is in $bin"
}

if new_enough "$bin/age"; then
  echo "age $("$bin/age" --version) is in $bin already"
  exit 0
fi
if new_enough age; then # (1)
  link "$(dirname "$(command -v age)")"
  exit 0
fi

keys=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=
if command -v apt-get >/dev/null && [ -r $keys ]; then
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    'Label: Debian' | head -n 1)
fi
if [ -n "$mirror" ]; then # (2)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  for suite in testing unstable; do
    echo "deb [signed-by=$keys] $mirror $suite main"
  done >"$work/sources.list"
  set -- -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User= \
    -o Acquire::Languages=none
  echo "Fetching age from Debian's testing or unstable"
  apt-get "$@" update
  (cd "$work" && apt-get "$@" download age)
  rm -rf .peers/age
  mkdir -p .peers/age
  dpkg-deb -x "$work"/age_*.deb .peers/age
  if new_enough .peers/age/usr/bin/age; then
    link "$PWD/.peers/age/usr/bin"
    exit 0
  fi
fi

echo "No age with hybrid keys is here. Install age 1.3 or later so that it is on PATH, then run" \
  "this again." >&2 # (3)
exit 1
