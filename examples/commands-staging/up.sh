#!/bin/sh
# Brings the embedded staging up with the numbers of the scenario $1, and prints what shop.yaml and its scripts need to
# know of it, for `eval`.
# A staging of your own is up already: then these are values of its own, set once.
set -eu

: "${WINDTUNNEL:=windtunnel}"
SHOP_SCENARIO=$(readlink -f "${1:-release.yaml}")
: "${SHOP_STATE:=${TMPDIR:-/tmp}/shop-by-scripts}"

$WINDTUNNEL staging up "$SHOP_SCENARIO" --state "$SHOP_STATE" >&2

kept() { sed -n "s/^ *\"$1\": \"\{0,1\}\([^\",{]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$SHOP_STATE/state.json" | head -n 1; }
primary=$($WINDTUNNEL staging status --state "$SHOP_STATE" | awk '$2 == "primary" { print $3 }')
psql=$(dirname "$(readlink "/proc/$primary/exe")")/psql
PGHOST=127.0.0.1 PGPORT=$(kept proxy:checkout--orders) PGUSER=windtunnel PGDATABASE=orders PGPASSWORD=$(kept password)
export PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD

cat <<END
export WINDTUNNEL='$WINDTUNNEL'
export SHOP_STATE='$SHOP_STATE'
export SHOP_SCENARIO='$SHOP_SCENARIO'
export SHOP_URL='http://127.0.0.1:$(kept proxy:client--edge)'
export SHOP_TOKEN='$(kept token)'
export SHOP_ENVOY='http://127.0.0.1:$(kept admin)'
export SHOP_TOXIPROXY='http://127.0.0.1:$(kept toxiproxy)'
export SHOP_PSQL='$psql'
export SHOP_COLUMNS='$(SHOP_PSQL=$psql ./columns.sh)'
export PGHOST='$PGHOST' PGPORT='$PGPORT' PGUSER='$PGUSER' PGDATABASE='$PGDATABASE' PGPASSWORD='$PGPASSWORD'
END
