#!/bin/sh
# Copies the share $3 of the requests of service $1 to version $2. The shop rolls back what a copy, by its header, writes.
set -eu
exec $WINDTUNNEL staging mirror "$1" "$2" "$3" --state "$SHOP_STATE"
