#!/bin/sh
# The orders since $1 that are not what was acknowledged, as JSON: here those whose amount has the wrong sign.
set -eu
amount=amount
case " $(./columns.sh) " in
*" amount_cents "*) amount="coalesce(amount, amount_cents)" ;;
esac
exec ./psql.sh --command "
    SELECT json_build_object('rows', coalesce(json_agg(json_build_object('id', id, 'written', created_at)), '[]'))
    FROM orders WHERE created_at >= '$1' AND $amount < 0"
