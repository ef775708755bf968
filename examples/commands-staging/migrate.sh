#!/bin/sh
# Phase $1 of the orders' migration, from amounts in euros to whole cents; the lock of expand is kept for $2 seconds.
# `state` prints where the schema stands: the last phase is kept in a table, written with what the phase did.
set -eu
phase=$1 lock_s=${2:-0}
# When this script is killed, what it was at in the database ends within 200 ms, and is rolled back.
export PGOPTIONS="-c client_connection_check_interval=200ms"
play() { ./psql.sh --single-transaction --file=-; }

case $phase in
state)
    ./psql.sh --file=- <<END
SELECT to_regclass('migration') IS NOT NULL AS begun \gset
\if :begun
    SELECT json_build_object('state', phase) FROM migration;
\else
    SELECT json_build_object('state', 'baseline');
\endif
END
    ;;
expand)
    play <<END
CREATE TABLE migration AS SELECT 'expand' AS phase;
ALTER TABLE orders ADD COLUMN amount_cents bigint, ALTER COLUMN amount DROP NOT NULL;
DO 'BEGIN PERFORM pg_sleep($lock_s); END';
END
    ;;
backfill)
    # in batches, each committed by itself: no order waits for long
    batch="UPDATE orders SET amount_cents = round(amount * 100) WHERE id IN
        (SELECT id FROM orders WHERE amount_cents IS NULL AND amount IS NOT NULL LIMIT 1000 FOR UPDATE SKIP LOCKED)"
    until [ "$(./psql.sh --command "WITH done AS ($batch RETURNING 1) SELECT count(*) FROM done")" = 0 ]; do :; done
    ./psql.sh --command "UPDATE migration SET phase = 'backfill'"
    ;;
switch)
    play <<END
UPDATE orders SET amount_cents = round(amount * 100) WHERE amount_cents IS NULL;
ALTER TABLE orders ALTER COLUMN amount_cents SET NOT NULL;
UPDATE migration SET phase = 'switch';
END
    ;;
contract)
    play <<END
ALTER TABLE orders DROP COLUMN amount;
UPDATE migration SET phase = 'contract';
END
    ;;
revert)
    case " $(./columns.sh) " in
    *" amount "*) ;;
    *)
        echo "orders.amount was dropped by the contract: its values are gone" >&2
        exit 3 # there is no way back
        ;;
    esac
    # rows that only the new version wrote, and nobody reconciled, do not fit the old schema: they are lost
    play <<END
DELETE FROM orders WHERE amount IS NULL;
ALTER TABLE orders ALTER COLUMN amount SET NOT NULL, DROP COLUMN IF EXISTS amount_cents;
DROP TABLE IF EXISTS migration;
END
    ;;
esac
