#!/bin/sh
# Gives the orders that only have cents their amount in euros, and prints how many there were.
set -eu
exec ./psql.sh --command "
    WITH done AS (
        UPDATE orders SET amount = amount_cents::numeric / 100 WHERE amount IS NULL AND amount_cents IS NOT NULL RETURNING 1
    )
    SELECT json_build_object('rows', count(*)) FROM done"
