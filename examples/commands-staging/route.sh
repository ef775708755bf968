#!/bin/sh
# The shares of the versions of service $1: $2 is "2.3=0.8 2.4=0.2", and $3 those of cohorts of their own, as JSON.
set -eu
service=$1 cohorts=${3:-}
[ -n "$cohorts" ] || cohorts='{}'
set -f
# shellcheck disable=SC2086 -- the shares are words
set -- $2
exec $WINDTUNNEL staging route "$service" "$@" --cohorts "$cohorts" --state "$SHOP_STATE"
