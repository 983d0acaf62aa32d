#!/bin/sh
# Run two commands at once, each with a processor of its own. The second one's words come when both
# have ended; ends with 1 if either failed.
#
#     sh deploy/both.sh 'make check' 'make handbook'
set -u
words=$(mktemp)
sh -ec "$2" >"$words" 2>&1 &
second=$!
trap 'kill "$second" 2>/dev/null; rm -f "$words"' EXIT
trap 'exit 130' INT TERM
failed=0
sh -ec "$1" || failed=1
wait "$second" || failed=1
cat "$words"
exit "$failed"
