#!/bin/sh
# The standby takes over; the old primary is fenced.
set -eu
exec $WINDTUNNEL staging fail-over --state "$SHOP_STATE"
