#!/bin/sh
# What each version of checkout answered so far, from Envoy's counters, as JSON.
set -eu
curl --silent --show-error --fail --max-time 3 \
    "$SHOP_ENVOY/stats?filter=%5Ecluster%5C.checkout--.*upstream_rq_(completed%7C5xx%7Ctx_reset)%24" |
    awk '
        # cluster.checkout--2_4.upstream_rq_completed: 17
        { split($1, part, "."); sub(/:$/, "", part[3]); seen[part[2]] = 1; count[part[2], part[3]] = $2 + 0 }
        END {
            printf "["
            for (cluster in seen) {
                version = substr(cluster, length("checkout--") + 1)
                gsub("_", ".", version)
                printf "%s{\"service\": \"checkout\", \"version\": \"%s\", ", comma, version
                printf "\"requests\": %d, ", count[cluster, "upstream_rq_completed"]
                printf "\"errors\": %d, ", count[cluster, "upstream_rq_5xx"]
                printf "\"cancelled\": %d}", count[cluster, "upstream_rq_tx_reset"]
                comma = ", "
            }
            print "]"
        }'
