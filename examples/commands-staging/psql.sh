#!/bin/sh
# psql on the shop's orders, wherever they are served: plain answers, and an end at the first error.
set -eu
exec "$SHOP_PSQL" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"
