#!/bin/sh
# Install Intake on a fresh server with Debian 12 or 13, or upgrade the one that is there.
# Run it as root, from a checkout:
#
#   sh deploy/install.sh                      all of it, and again: what is missing
#   sh deploy/install.sh --keyring FILE       and put the first keyring in force
#   sh deploy/install.sh --wheels FOLDER      Python packages from a folder, not from the network
#
# To upgrade, run it from the newer checkout. Then: intake-host --help
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)

case " $* " in
*" --help "* | *" -h "*)
  sed -n '2,/^set/{s/^# //p;s/^#$//p;}' "$0"
  exit 0
  ;;
esac

refuse() { # WHAT HINT
  printf '%s\n  → %s\n' "$1" "$2" >&2
  exit 2
}
[ "$(id -u)" -eq 0 ] || refuse 'Only root can install.' "Run it again as root: sh $0"
system=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID-}" "${VERSION_ID-}") || system=
case $system in
'debian 12' | 'debian 13') ;;
*) refuse "This system is ${system:-not known}; Intake is tested on Debian 12 and 13 only." \
  'Rent a server with one of these, fresh, and run it there.' ;;
esac

# unattended-upgrades: nobody here reads of a hole in tor the day it is mended.
missing=
for package in python3 python3-venv tor age unattended-upgrades; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "Installing from Debian:$missing"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # one word for each package
  { apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing; } ||
    refuse 'Debian did not install them; it says why above.' \
      'See that the server reaches the network, and that no other apt runs. Then run this again.'
fi

export PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -P -m deploy.host install "$@"
