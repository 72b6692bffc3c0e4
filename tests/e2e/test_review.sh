#!/usr/bin/env bash
# What a biller looks at before figures count: how a figure came about, and which stand out. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# ask PATH: the body and the status, with the token in the file $token, the administrator's without it.
token=''
ask() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" "$NILO_SERVER$1"; }
tell() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -H 'Content-Type: application/json' -d "$2" "${@:3}" "$NILO_SERVER$1"; }
# of JSON EXPRESSION: a Python expression over the answer `a`.
of() { sed '$d' <<< "$1" | python3 -c 'import json,sys
a=json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"; }

# E1 was read by the day and once by hand in the wrong unit, exchanged on the 10th, read until the 20th.
explained_world() {
    printf 'serial,dn,q3,digits\nX1,15,2.5,4\nX2,15,2.5,4\n' | nilo import meters -
    printf 'point,account\nE1,A-1\nE9,A-9\n' | nilo import points -
    printf 'point,serial,from,to,start_index_l,end_index_l\nE1,X1,2026-01-01T00:00:00+08:00,2026-03-10T00:00:00+08:00,9990000,2000\nE1,X2,2026-03-10T00:00:00+08:00,,0,\n' | nilo import fittings -
    { echo serial,time,index_l,source
      echo X1,2026-03-01T00:00:00+08:00,9999000,remote
      echo X1,2026-03-02T00:00:00+08:00,9999600,photo
      echo X1,2026-03-03T00:00:00+08:00,10000000,manual
      echo X1,2026-03-04T00:00:00+08:00,400,remote
      echo X2,2026-03-15T00:00:00+08:00,500,remote
      echo X2,2026-03-16T00:00:00+08:00,5,manual
      echo X2,2026-03-20T00:00:00+08:00,1000,remote; } | nilo import readings -
    nilo settle
}

a_figure_is_told_by_its_readings_and_rules() {
    said=$(ask '/v1/points/E1/consumption?from=2026-03-01T12:00:00%2B08:00&to=2026-03-25T00:00:00%2B08:00&explain=1')
    has "$said" $'\n200' || return 1
    # From the middle of 9 999 000 and 9 999 600 to the closing index, the dial once around; then 100 L a day for 15 days.
    is '2700 + 1500 = 4200 4200 2 0' "$(of "$said" '"%s %s %s %s" % (a["explain"]["formula"], a["consumption_l"], len(a["explain"]["parts"]), a["explain"]["left_off"])')" || return 1
    is '10002000 - 9999300 = 2700 | floor(10002000 / 1000) - floor(9999300 / 1000) = 3 | B8 1 10000000' \
        "$(of "$said" '"%s | %s | %s %s %s" % tuple(a["explain"]["parts"][0][k] for k in ("formula", "formula_m3", "rule", "rollovers", "modulus_l"))')" || return 1
    is 'C2 9999000 + floor(600 × 43200 / 86400) = 9999300 remote photo' "$(of "$said" '(lambda s: "%s %s %s %s" % (s["rule"], s["formula"], s["before"]["source"], s["after"]["source"]))(a["explain"]["parts"][0]["start"])')" || return 1
    is 'C1 fitting 2000 10002000' "$(of "$said" '(lambda s: "%s %s %s %s" % (s["rule"], s["before"]["source"], s["before"]["index_l"], s["before"]["register_l"]))(a["explain"]["parts"][0]["end"])')" || return 1
    is 'C6 1000 + floor(1000 × 432000 / 864000) = 1500 2026-03-09T16:00:00Z' "$(of "$said" '(lambda s: "%s %s %s" % (s["rule"], s["formula"], s["mean_since"]))(a["explain"]["parts"][1]["end"])')" || return 1
    has "$said" '按前后两条读数直线内插' '表盘过零' || return 1
    # Without it, and to whoever asks otherwise, nothing has changed.
    [[ $(ask '/v1/points/E1/consumption?from=2026-03-01T12:00:00%2B08:00&to=2026-03-25T00:00:00%2B08:00') != *explain* ]]
}

what_took_no_part_is_told_with_its_rule() {
    said=$(ask '/v1/points/E1/consumption?from=2026-03-10T00:00:00%2B08:00&to=2026-03-16T00:00:00%2B08:00&explain=1')
    is "[('5', 'fall', 'manual')] 1 0" "$(of "$said" '"%s %s %s" % ([(str(o["index_l"]), o["rule"], o["source"]) for o in a["explain"]["parts"][0]["end"]["out"]], a["explain"]["parts"][0]["end"]["out_count"], a["explain"]["parts"][0]["start"]["out_count"])')"
}

what_is_missing_says_why() {
    said=$(ask '/v1/points/E1/consumption?from=2026-03-20T00:00:00%2B08:00&to=2027-01-01T00:00:00%2B08:00&explain=1')
    is 'None None D4 None' "$(of "$said" '"%s %s %s %s" % (a["consumption_l"], a["explain"]["formula"], a["explain"]["parts"][0]["rule"], a["explain"]["parts"][0]["end"]["register_l"])')" && has "$said" 'It lies after now' || return 1
    said=$(ask '/v1/points/E9/consumption?from=2026-03-20T00:00:00%2B08:00&to=2026-03-21T00:00:00%2B08:00&explain=1')
    has "$said" $'\n200' 'No meter was there'
}

an_explanation_is_asked_for_by_every_way_but_steps() {
    has "$(ask '/v1/points/E1/consumption?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&step=day&explain=1')" $'\n422' '"field":"explain"' || return 1
    has "$(ask '/v1/points/E1/consumption?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&explain=perhaps')" $'\n422' '"field":"explain"' || return 1
    exits 0 nilo consumption E1 --from 2026-03-01T12:00:00+08:00 --to 2026-03-25T00:00:00+08:00 --explain && has "$said" '2700 + 1500 = 4200' || return 1
    said=$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: text/csv' "$NILO_SERVER/v1/points/E1/consumption?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&explain=1")
    has "$said" ',parts,explain' '""formula""'
}

nilod_start --virtual-clock 2026-04-02T12:00:00+08:00
explained_world > /dev/null || { echo "the world could not be made"; exit 1; }
hold a_figure_is_told_by_its_readings_and_rules what_took_no_part_is_told_with_its_rule what_is_missing_says_why an_explanation_is_asked_for_by_every_way_but_steps
hold_end
