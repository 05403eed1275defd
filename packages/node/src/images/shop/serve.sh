#!/bin/sh
# Process 1 of each shop container: serves /www and ends at once when asked, which the kernel does not do by itself
# for process 1.
trap 'kill "$server" 2>/dev/null; wait "$server"; echo "stopped"; exit 0' TERM INT
[ -x /srv/prepare.sh ] && { /srv/prepare.sh || exit 1; }
httpd -f -vv -p "${PORT:-8080}" -h /www &
server=$!
echo "listening on port ${PORT:-8080}"
wait "$server"
