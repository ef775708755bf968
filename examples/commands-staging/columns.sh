#!/bin/sh
# The columns that the orders have.
set -eu
exec ./psql.sh --command \
    "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns WHERE table_name = 'orders'"
