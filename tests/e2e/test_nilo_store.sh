#!/usr/bin/env bash
# The store of the meter department by nilo, against a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

lists_of_the_store_come_in_by_file_and_the_same_again_changes_nothing() {
    local list
    printf 'model,maker,dn,q3,r,register,digits,price\nLXS-15,Ningbo,15,2.5,100,net,5,85.50\n' > models.csv
    printf 'batch,model,supplier,ordered\nB1,LXS-15,Ningbo,4\n' > batches.csv
    printf 'modem,imei\nM1,861000000000011\n' > modems.csv
    printf 'depot,name\nD1,东库\n' > depots.csv
    printf 'crew,name\nC1,一班\n' > crews.csv
    printf 'seal,kind,crew\nA1,lead,C1\n' > seals.csv
    printf 'item,of,money,source\nwater,residential,2.8,tariff 2026\n' > prices.csv
    printf 'serial,dn,q3,model,batch\nS1,15,2.5,LXS-15,B1\nS2,15,2.5,LXS-15,B1\n' > meters.csv
    for list in models batches depots crews seals prices meters modems; do
        exits 0 nilo import "$list" "$list.csv" || return 1
        exits 0 nilo import "$list" "$list.csv" --format ndjson && has "$said" '"written":0' || return 1
    done
    exits 0 nilo model list --format csv && has "$said" LXS-15,Ningbo || return 1
    exits 0 nilo model show LXS-15 --format json && has "$said" '"price":85.5' || return 1
    exits 0 nilo batch list --format ndjson && has "$said" '"ordered":4' || return 1
    exits 0 nilo depot list --format ndjson && has "$said" 东库 || return 1
    exits 0 nilo crew list --format ndjson && has "$said" 一班 || return 1
    exits 0 nilo price list --format ndjson && has "$said" 'tariff 2026' || return 1
    exits 0 nilo meter show S1 --format json && has "$said" '"digits":5' || return 1
    exits 0 nilo seal list --crew C1 --format ndjson && has "$said" '"seal":"A1"' || return 1
    printf 'serial,dn,q3,model\nS9,20,2.5,LXS-15\n' > wrong.csv
    exits 1 nilo import meters wrong.csv && has "$said" 'as meters of the model LXS-15 have'
}

modems_and_seals_change_hands() {
    exits 0 nilo modem fit S1 M1 --at 2026-01-05T08:00:00+08:00 --reason "new battery" --format json && has "$said" '"radio_id":"861000000000011"' || return 1
    exits 1 nilo modem fit S2 M1 && has "$said" S1 || return 1
    exits 0 nilo meter modems S1 --format ndjson && has "$said" '"modem":"M1"' || return 1
    exits 0 nilo modem remove S1 && exits 0 nilo modem history M1 --format ndjson && has "$said" '"serial":"S1"' || return 1
    exits 0 nilo seal add B001 B020 --kind plastic --format json && has "$said" '"changed":20' || return 1
    exits 0 nilo seal issue B001 B005 --crew C1 --document 7 --format json && has "$said" '"changed":5' || return 1
    exits 0 nilo seal return B005 && exits 0 nilo seal break B004 --note cut || return 1
    exits 0 nilo seal list --state broken --format ndjson && has "$said" B004
}

meters_come_in_are_sampled_and_go_out_by_notes() {
    # A delivery of which nobody knows a meter is no paper: its number stays free.
    printf 'S8\nS9\n' > delivered
    exits 1 nilo delivery B1 delivered --document DN-1 --depot D1 && has "$said" 'none of the 2 is a registered meter' || return 1
    printf 'S1\nS2\n  S3  \n\n' > delivered
    exits 0 nilo delivery B1 delivered --document DN-1 --depot D1 --register --format json &&
        has "$said" '"received":3' '"registered":1' '"short":1' || return 1
    exits 0 nilo sample show B1 --aql 4 --format json && has "$said" '"lot":3' '"sample":3' || return 1
    local leaks
    leaks="DN$(printf '表面漏水%.0s' {1..20})"
    exits 0 nilo sample result B1 - --aql 4 --format json <<< $'S1 pass\nS2 pass\nS3 fail '"$leaks" &&
        has "$said" '"verdict":"rejected"' || return 1
    exits 0 nilo meter history S3 --format json && has "$said" "$leaks" || return 1
    # What cannot be kept as it was told is refused, not left out.
    for beside in '"note":"a\u0001b"' '"note":5' '"q1_pct":"=1"' '"q3_pct":1e308' '"q1":3'; do
        has "$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Content-Type: application/json' "$NILO_SERVER/v1/batches/B1/sample" \
            -d "{\"aql\":\"4\",\"results\":[{\"serial\":\"S1\",\"result\":\"pass\"},{\"serial\":\"S2\",\"result\":\"pass\"},{\"serial\":\"S3\",\"result\":\"pass\",$beside}]}")" '"status":422' q1_pct || return 1
    done
    printf 'S1 maybe\n' > wrong
    exits 1 nilo sample result B1 wrong && has "$said" 'line 1' || return 1
    exits 0 nilo batch reject B1 --note "sample failed" --format json && has "$said" '"rejected":3' || return 1
    exits 0 nilo stock --depot D1 --format csv && has "$said" 'depot,D1,LXS-15,15,2.5,rejected,3' || return 1
    exits 0 nilo paper write scrap delivered --document auto --format json && has "$said" '"paper":"scrap:SC-' || return 1
    exits 0 nilo stock --depot D1 --format ndjson && has "$said" '"rows":0' || return 1
    exits 0 nilo stocktake - --depot D1 --stocktake T1 --format json <<< S1 && has "$said" '"surplus":1' || return 1
    exits 0 nilo paper list --kind stocktake --format ndjson && has "$said" stocktake:T1 || return 1
    exits 0 nilo paper show stocktake:T1 --format json && has "$said" '"state":"scrapped"' || return 1
    exits 0 nilo paper meters delivery:DN-1 --format ndjson && has "$said" '"serial":"S3"' || return 1
    exits 1 nilo paper show stocktake:T9 && has "$said" T9
}

a_first_start_that_writes_to_customers_makes_a_token_too() {
    local process line
    mkdir told && mkfifo told/ready || return 1
    "$build/nilod" --store told/store --coap 127.0.0.1:0 --coaps off --http 127.0.0.1:0 --notices on --notice-dir told > told/ready 2>> nilod.log &
    process=$!
    read -r -t 60 line < told/ready
    kill "$process" && wait "$process"
    has "$line" 'ready coap=' && exits 0 test -s told/store/admin.token
}

nilod_start
hold a_first_start_that_writes_to_customers_makes_a_token_too lists_of_the_store_come_in_by_file_and_the_same_again_changes_nothing \
    modems_and_seals_change_hands \
    meters_come_in_are_sampled_and_go_out_by_notes
hold_end
