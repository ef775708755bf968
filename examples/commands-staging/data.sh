#!/bin/sh
# Servers and schema of the orders as they were before the drill, with the rows of now. $1: heal or residue.
set -eu
case $1 in
heal)
    $WINDTUNNEL staging reset --state "$SHOP_STATE"
    # past the contract the old column is made again from the new one
    ./psql.sh --single-transaction --file=- <<END
ALTER TABLE orders ADD COLUMN IF NOT EXISTS amount numeric, ADD COLUMN IF NOT EXISTS amount_cents bigint;
UPDATE orders SET amount = amount_cents::numeric / 100 WHERE amount IS NULL;
ALTER TABLE orders ALTER COLUMN amount SET NOT NULL, DROP COLUMN amount_cents;
DROP TABLE IF EXISTS migration;
END
    ;;
residue)
    [ "$(./wrong.sh 2000-01-01T00:00:00Z)" = '{"rows" : []}' ]
    [ "$(./columns.sh)" = "$SHOP_COLUMNS" ]
    [ "$(./psql.sh --command "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 1 ]
    grep -q '"store_at": "primary"' "$SHOP_STATE/state.json"
    ;;
esac
