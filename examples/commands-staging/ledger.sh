#!/bin/sh
# Which of the writes on standard input ({"ids": [...], "since": ...}) are in the shop's orders, as JSON.
set -eu
exec "$SHOP_PSQL" --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --file="$(dirname "$0")/ledger.sql"
