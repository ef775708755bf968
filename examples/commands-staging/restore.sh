#!/bin/sh
# The orders as they were at the moment $1: a fresh database, from the backup and the archived log, read and put in place.
set -eu
exec $WINDTUNNEL staging restore "$1" --state "$SHOP_STATE"
