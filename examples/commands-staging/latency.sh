#!/bin/sh
# Answers on the link $2 ("checkout -> payments") come later. $1: inject, confirm, heal or residue.
set -eu
proxy=$(echo "$2" | sed 's/ -> /--/')
toxics=$SHOP_TOXIPROXY/proxies/$proxy/toxics
ask() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 "$@"; }
ms() { awk -v seconds="${1:-0}" 'BEGIN { printf "%d", 1000 * seconds }'; }

case $1 in
inject)
    toxic='{"name": "by-script", "type": "latency", "attributes": {"latency": %d, "jitter": %d}}'
    # shellcheck disable=SC2059 -- the template is ours
    printf "$toxic" "$(ms "$WINDTUNNEL_FAULT_ADD_S")" "$(ms "${WINDTUNNEL_FAULT_JITTER_S:-0}")" |
        curl --silent --show-error --fail --max-time 5 --data @- "$toxics"
    ;;
confirm) [ "$(ask "$toxics/by-script")" = 200 ] ;;
heal)
    code=$(ask --request DELETE "$toxics/by-script")
    [ "$code" = 204 ] || [ "$code" = 404 ]
    ;;
residue) [ "$(ask "$toxics/by-script")" = 404 ] ;;
esac
