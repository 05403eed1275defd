#!/bin/sh
# The store keeps its orders on the volume; without one there is nothing to serve.
data=${DATA_DIR:-/data}
[ -d "$data" ] && [ -w "$data" ] || { echo "cannot write to $data: mount a volume there" >&2; exit 1; }
touch "$data/orders" && sync "$data/orders" || exit 1
echo "found $(wc -l < "$data/orders") orders in $data"
