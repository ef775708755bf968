#!/bin/sh
# Exactly $3 ready replicas of version $2 of service $1, in rotation; ends when they are.
set -eu
exec $WINDTUNNEL staging deploy "$1" "$2" "$3" --state "$SHOP_STATE"
