#!/bin/sh
# The columns that the orders have.
set -eu
exec "$SHOP_PSQL" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --command \
    "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'orders'"
