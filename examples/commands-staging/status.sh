#!/bin/sh
# What of service $1 is ordered, ready and routed, as JSON.
set -eu
exec $WINDTUNNEL staging show "$1" --state "$SHOP_STATE"
