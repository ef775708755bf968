#!/bin/sh
# Switches the defects $3 of version $2 of service $1 on, and all others off. A real release brings its own.
set -eu
service=$1 version=$2
set -f
# shellcheck disable=SC2086 -- the names are words
set -- $3
exec $WINDTUNNEL staging defects "$service" "$version" "$@" --scenario "$SHOP_SCENARIO" --state "$SHOP_STATE"
