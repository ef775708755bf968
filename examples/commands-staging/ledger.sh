#!/bin/sh
# Which of the writes on standard input ({"ids": [...], "since": ...}) are in the shop's orders, as JSON.
set -eu
exec ./psql.sh --file=ledger.sql
