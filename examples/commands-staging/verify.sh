#!/bin/sh
# Prints what differs from what was declared, a line each: here the columns of the orders, as up.sh found them.
set -eu
columns=$(./columns.sh)
[ "$columns" = "$SHOP_COLUMNS" ] || echo "orders has the columns $columns, declared are $SHOP_COLUMNS"
