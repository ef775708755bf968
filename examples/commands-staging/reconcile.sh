#!/bin/sh
# Puts amounts of the wrong sign right, gives the orders that only have cents their amount in euros, and prints how many
# there were.
set -eu
amount=amount cents=
case " $(./columns.sh) " in
*" amount_cents "*) amount="coalesce(amount, amount_cents::numeric / 100)" cents=", amount_cents = abs(amount_cents)" ;;
esac
exec ./psql.sh --command "
    WITH done AS (
        UPDATE orders SET amount = abs($amount)$cents WHERE amount IS NULL OR amount < 0 RETURNING 1
    )
    SELECT json_build_object('rows', count(*)) FROM done"
