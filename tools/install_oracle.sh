#!/bin/sh
# Install Debian's redis-server and redis-tools if they are missing and we may; otherwise say what will be skipped.
missing=""
for program in redis-server redis-cli redis-benchmark; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server redis-tools >/dev/null && {
        # The package starts a server on port 6379; the tests start their own.
        service redis-server stop >/dev/null 2>&1 || true
        exit 0
    }
fi
echo "not installed and cannot be installed here:$missing" >&2
echo "tests that compare with redis-server or use its tools will be skipped" >&2
exit 0
