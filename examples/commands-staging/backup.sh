#!/bin/sh
# A base backup, checked against its manifest; prints as of when it is, and its size.
set -eu
exec $WINDTUNNEL staging backup --state "$SHOP_STATE"
