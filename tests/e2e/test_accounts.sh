#!/usr/bin/env bash
# What accounts used, over a real nilod: the sum of their points, each for as long as it was theirs. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

token=''
ask() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" "$NILO_SERVER$1"; }
tell() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -H 'Content-Type: application/json' -d "$2" "$NILO_SERVER$1"; }
of() { sed '$d' <<< "$1" | python3 -c 'import json,sys
a=json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"; }
# use ACCOUNT FROM TO [QUERY]: the answer over days of March 2026 at +08:00.
use() { ask "/v1/accounts/$1/consumption?from=2026-03-$(printf %02d "$2")T00:00:00%2B08:00&to=2026-03-$(printf %02d "$3")T00:00:00%2B08:00${4:-}"; }
figure() { of "$(use "$@")" '"%s %s %s %s" % (a["consumption_l"], a["billed_m3"], a["quality"], a["method"])'; }
whose() { of "$(use "$@")" '", ".join("%s %s %s" % (p["point"], p["from"][5:16], p["consumption_l"]) for p in a["points"])'; }

# COURT is a main meter, 1 000 L a day; behind it FLAT1 100 L, from the 11th on, FLAT2 50 L, of the same account as COURT, and MUTE, which nobody read, at ALLEY's main meter.
# From midnight of the 1st on: MAIN 2 000 L a day, BYPASS 10 L, HOUSE 300 L, OLD 100 L and nothing read after the 11th. HOUSE is A-7's until the 16th, 12:00, then A-8's, and from the 21st A-7's again.
world() {
    printf 'org\nNORTH\nSOUTH\n' | nilo import orgs - && printf 'route,org\nRN,NORTH\nRS,SOUTH\n' | nilo import routes -
    printf 'serial,dn,q3\nM1,50,25\nM2,15,2.5\nM3,15,2.5\nM4,15,2.5\nM5,15,2.5\nM6,50,25\nM7,15,2.5\nM8,15,2.5\nM9,15,2.5\nM10,15,2.5\n' | nilo import meters -
    printf 'point,account,route\nC-MAIN,A-77,RN\nC-BYPASS,A-77,RN\nHOUSE,A-7,RN\nOLD,A-9,RN\nNEW,A-9,RS\nSHED,A-9,RN\nFLAT1,A-51,RS\n' | nilo import points -
    printf 'point,account,route,behind\nCOURT,A-50,RN,\nFLAT2,A-50,RN,COURT\nALLEY,A-60,RN,\nMUTE,A-61,RN,ALLEY\n' | nilo import points -
    { echo point,serial,from,start_index_l; i=0; for p in C-MAIN C-BYPASS HOUSE OLD NEW COURT FLAT1 FLAT2 ALLEY MUTE; do echo "$p,M$((++i)),2026-02-01T00:00:00+08:00,0"; done; } | nilo import fittings -
    nilo clock set 2026-03-11T00:00:00+08:00 && tell /v1/points '{"point":"FLAT1","behind":"COURT"}'
    nilo clock set 2026-03-16T12:00:00+08:00 && tell /v1/points '{"point":"HOUSE","account":"A-8"}'
    nilo clock set 2026-03-21T00:00:00+08:00 && tell /v1/points '{"point":"HOUSE","account":"A-7"}'
    nilo clock set 2026-03-25T12:00:00+08:00
    { echo serial,time,index_l; for d in $(seq 1 25); do t=$(printf '2026-03-%02dT00:00:00+08:00' "$d"); echo "M1,$t,$((d * 2000))"; echo "M2,$t,$((d * 10))"; echo "M3,$t,$((d * 300))"; [[ $d -gt 11 ]] || echo "M4,$t,$((d * 100))"; echo "M5,$t,$((d * 7))"; echo "M6,$t,$((d * 1000))"; echo "M7,$t,$((d * 100))"; echo "M8,$t,$((d * 50))"; echo "M9,$t,$((d * 500))"; done; } | nilo import readings -
    nilo token create --role viewer --name n --org NORTH > north.token
    nilo settle
}

a_combination_meter_is_one_figure() {
    is '20100 20 actual read' "$(figure A-77 1 11)" && is 'C-BYPASS 02-28T16:00 100, C-MAIN 02-28T16:00 20000' "$(whose A-77 1 11)" || return 1
    is '2010 2 actual, 2010 2 actual, 2010 2 actual' "$(of "$(use A-77 1 4 '&step=day')" '", ".join("%s %s %s" % (r["consumption_l"], r["billed_m3"], r["quality"]) for r in a["rows"])')" || return 1
    # Each point's row is what the point says of itself.
    said=$(ask '/v1/points/C-MAIN/consumption?from=2026-03-01T00:00:00%2B08:00&to=2026-03-11T00:00:00%2B08:00')
    is "$(of "$said" 'a["parts"]')" "$(of "$(use A-77 1 11)" 'a["points"][1]["parts"]')" || return 1
    # Months end where they end, and pages join.
    is '2 50250 48240' "$(of "$(ask '/v1/accounts/A-77/consumption?from=2026-02-01T00:00:00%2B08:00&to=2026-03-25T00:00:00%2B08:00&step=month')" '"%d %s %s" % (len(a["rows"]), sum(r["consumption_l"] for r in a["rows"]), a["rows"][1]["consumption_l"])')" || return 1
    next=$(of "$(use A-77 1 11 '&step=day&limit=4')" 'a["next"]') && is '4 2026-03-04T16:00:00Z' "$(of "$(use A-77 1 11 "&step=day&limit=4&after=$next")" '"%d %s" % (len(a["rows"]), a["rows"][0]["from"])')"
}

nobody_is_told_what_was_anothers() {
    is '300 0 actual read' "$(figure A-8 18 19)" && is '0 0 actual None' "$(figure A-8 11 16)" && is '[]' "$(of "$(use A-8 11 16)" 'a["points"]')" || return 1
    # The day of the move is shared at noon; both of its parts lie between readings a day apart.
    is '150 0 actual interpolated' "$(figure A-7 16 17)" && is '150 1 actual interpolated' "$(figure A-8 16 17)" || return 1
    is 'HOUSE 03-09T16:00 1950, HOUSE 03-20T16:00 900' "$(whose A-7 10 24)" && is 'HOUSE 03-16T04:00 1350' "$(whose A-8 10 24)" || return 1
    is 4200 "$(of "$(use A-7 10 24)" 'int(a["consumption_l"] + '"$(of "$(use A-8 10 24)" 'a["consumption_l"]')"')')" || return 1
    is '0, 150, 300, 300' "$(of "$(use A-8 15 19 '&step=day')" '", ".join(str(r["consumption_l"]) for r in a["rows"])')" || return 1
    [[ $(use A-8 10 24) != *checks* ]]
}

the_sum_is_as_good_as_its_worst_point() {
    is 'estimated profile' "$(of "$(use A-9 1 21)" '"%s %s" % (a["quality"], a["method"])')" && is 'NEW 70 actual, OLD 1000 actual, SHED 0 actual' "$(of "$(use A-9 1 11)" '", ".join("%s %s %s" % (p["point"], p["consumption_l"], p["quality"]) for p in a["points"])')" || return 1
    said=$(use A-9 1 31) && has "$said" $'\n200' '"consumption_l":null' '"quality":"missing"' && is 'NEW OLD SHED' "$(of "$said" '" ".join(p["point"] for p in a["points"])')"
}

who_asks_wrongly_is_told() {
    has "$(use A-none 1 11)" $'\n404' && has "$(use A-7 11 10)" $'\n422' '"field":"from"' && has "$(use A-7 1 11 '&step=week')" $'\n422' '"field":"step"' && has "$(ask /v1/accounts/A-7/consumption)" $'\n422' || return 1
    # A unit sees an account whose points are its own.
    has "$(token=north.token use A-77 1 11)" $'\n200' && has "$(token=north.token use A-9 1 11)" $'\n403' NORTH 'point NEW'
}

water_behind_a_main_meter_is_whose_meter_it_passed() {
    # 1 000 L a day less the 50 of FLAT2, which come back as its own; from the 11th on less the 100 of FLAT1 as well.
    is '5000 5 actual read' "$(figure A-50 4 9)" && is '4500 5 actual read' "$(figure A-50 12 17)" && is '500 0 actual read' "$(figure A-51 12 17)" || return 1
    is '4250 5000 750, 250 None None' "$(of "$(use A-50 12 17)" '", ".join("%s %s %s" % (p["consumption_l"], p.get("metered_l"), p.get("behind_l")) for p in a["points"])')" || return 1
    is '1000, 1000, 900, 900' "$(of "$(use A-50 9 13 '&step=day')" '", ".join(str(r["consumption_l"]) for r in a["rows"])')" || return 1
    # Of what others used there is the sum alone, and without it there is no figure.
    [[ $(use A-50 12 17) != *FLAT1* ]] || return 1
    said=$(use A-60 12 17) && has "$said" '"consumption_l":null' '"metered_l":2500' '"behind_l":null' '"quality":"missing"' || return 1
    has "$(token=north.token use A-50 4 9)" $'\n200' && has "$(token=north.token use A-50 12 17)" $'\n403' 'point FLAT1'
}

points_behind_points_are_a_tree() {
    has "$(tell /v1/points '{"point":"COURT","behind":"FLAT1"}')" $'\n409' behind && has "$(tell /v1/points '{"point":"COURT","behind":"COURT"}')" $'\n409' || return 1
    has "$(tell /v1/points '{"point":"SHED","behind":"NOWHERE"}')" $'\n404' behind && has "$(ask /v1/points/FLAT1)" '"behind":"COURT"' || return 1
    printf 'point,behind\nSHED,NOWHERE\n' > wrong.csv && exits 1 nilo import points wrong.csv && has "$said" behind && has "$(ask '/v1/points/FLAT1?as_of=2026-03-10T00:00:00Z')" $'\n200' && [[ $(ask '/v1/points/FLAT1?as_of=2026-03-10T00:00:00Z') != *COURT* ]]
}

lists_come_in_every_form() {
    exits 0 nilo account consumption A-77 --from 2026-03-01T00:00:00+08:00 --to 2026-03-11T00:00:00+08:00 && has "$said" 20100 || return 1
    exits 0 nilo account consumption A-77 --from 2026-03-01T00:00:00+08:00 --to 2026-03-04T00:00:00+08:00 --step day --format csv && is 4 "$(wc -l <<< "$said")" || return 1
    said=$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/accounts/A-77/consumption?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&step=hour") && has "$said" '{"end":true,"rows":24}'
}

the_past_is_found_after_a_restart_and_checks_hold() {
    nilod_stop && exits 0 nilo store check --store store && nilod_start --virtual-clock 2026-03-26T00:00:00+08:00 && is 'HOUSE 03-16T04:00 1350' "$(whose A-8 10 24)"
}

nilod_start --virtual-clock 2026-03-01T00:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold a_combination_meter_is_one_figure nobody_is_told_what_was_anothers the_sum_is_as_good_as_its_worst_point who_asks_wrongly_is_told water_behind_a_main_meter_is_whose_meter_it_passed \
    points_behind_points_are_a_tree lists_come_in_every_form the_past_is_found_after_a_restart_and_checks_hold
hold_end
