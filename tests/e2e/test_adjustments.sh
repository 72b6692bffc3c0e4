#!/usr/bin/env bash
# What comes after a cycle was closed, over a real nilod: each arrival that changes a figure makes one adjustment, nothing else does, and over any history determinants and
# adjustments add up to what the registers moved. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

call() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"; }
readings() { { echo serial,time,index_l; printf '%s\n' "$@"; } | nilo import readings - > /dev/null && nilo settle; }
# adjustments [QUERY OPTION...]: cycle, point, delta_l, delta_m3, reason, corrects and value_l of each.
adjustments() {
    nilo adjustment list "$@" --format ndjson | python3 -c 'import json,sys
for l in sys.stdin:
    a=json.loads(l)
    if "end" not in a: print(a["cycle"],a["point"],a["delta_l"],a["delta_m3"],a["reason"],a["corrects"],a["value_l"])'
}
cycle() { call POST /v1/cycles "{\"cycle\":\"$1\",\"from\":\"$2\",\"to\":\"$3\",\"routes\":[\"$4\"]}" > /dev/null; has "$(call POST "/v1/cycles/$1/close" '{}')" $'\n200'; }

world() {
    printf 'route\nR1\nR2\nR3\n' | nilo import routes - > /dev/null
    printf 'serial,dn,q3,verified_on,certificate,state\nM1,15,2.5,2026-01-01,C1,\nM2,15,2.5,2026-01-01,C2,\nM3,15,2.5,2026-01-01,C3,issued\n' | nilo import meters - > /dev/null
    printf 'point,account,route\nP1,A-1,R1\nP2,A-2,R2\n' | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l\nP1,M1,2026-02-01T00:00:00+08:00,0\nP2,M2,2026-02-01T00:00:00+08:00,0\n' | nilo import fittings - > /dev/null
    readings M1,2026-03-01T00:00:00+08:00,10000 M1,2026-03-15T00:00:00+08:00,15000
}

an_estimate_is_put_right_once() {
    cycle march 2026-03-01T00:00:00+08:00 2026-04-01T00:00:00+08:00 R1 || return 1
    is '' "$(adjustments)" || return 1
    readings M1,2026-03-31T00:00:00+08:00,20000 || return 1 # 28 days before the 15th: nobody read the meter then
    said=$(adjustments) && has "$said" 'march P1 ' estimate None && is 1 "$(wc -l <<< "$said")" || return 1
    readings M1,2026-04-01T00:00:00+08:00,20500 M1,2026-04-02T00:00:00+08:00,20800 || return 1
    said=$(adjustments) && is 2 "$(wc -l <<< "$said")" && has "$(tail -1 <<< "$said")" 'march P1 ' 'estimate 1 10500' || return 1
    # The same again, quality alone, and what lies behind the cycle: nothing.
    readings M1,2026-04-01T00:00:00+08:00,20500 M1,2026-04-02T00:00:00+08:00,20800 M1,2026-04-02T06:00:00+08:00,20900 || return 1
    is "$said" "$(adjustments)"
}

a_late_exchange_is_told_apart() {
    readings M1,2026-04-03T00:00:00+08:00,21000 M3,2026-04-03T00:00:00+08:00,40 || return 1
    has "$(call POST /v1/exchanges '{"point":"P1","at":"2026-03-25T10:00:00+08:00","old_serial":"M1","old_index_l":18100,"new_serial":"M3","new_index_l":3,"reason":"periodic","crew":"T1","overrule":true,"note":"late paper"}')" $'\n201' || return 1
    nilo settle
    has "$(adjustments | tail -1)" 'march P1 ' fitting ' 2 ' || return 1
    is '3 march 3' "$(adjustments --cycle march --point P1 | wc -l) march $(adjustments | wc -l)" || return 1
    is 0 "$(adjustments --point P2 | wc -l)" && has "$(call GET '/v1/adjustments?cycle=none')" $'\n404' && has "$(call GET '/v1/adjustments?point=none')" $'\n404' || return 1
    is 1 "$(call GET '/v1/adjustments?limit=1' | sed '$d' | python3 -c 'import json,sys; d=json.load(sys.stdin); print(len(d["rows"]) if d["next"] else 0)')" || return 1
    has "$(nilo audit list --format ndjson)" '"what":"adjustment.made"'
}

time_alone_changes_nothing() {
    # Closed before its end: what is missing stays so when time passes, and when something comes that is known already.
    nilo clock set 2026-04-10T00:00:00+08:00 > /dev/null && readings M2,2026-02-20T00:00:00+08:00,2000 M2,2026-04-05T00:00:00+08:00,6000 || return 1
    cycle early 2026-04-01T00:00:00+08:00 2026-05-01T00:00:00+08:00 R2 || return 1
    has "$(call GET /v1/cycles/early/determinants)" '"quality":"missing"' '"why":"not-over"' || return 1
    before=$(adjustments)
    nilo clock set 2026-05-02T00:00:00+08:00 > /dev/null && nilo settle && is "$before" "$(adjustments)" || return 1
    readings M2,2026-04-05T00:00:00+08:00,6000 && is "$before" "$(adjustments)" || return 1
    nilod_stop && nilod_start --virtual-clock 2026-05-02T01:00:00+08:00 && nilo settle && is "$before" "$(adjustments)" || return 1
    readings M2,2026-05-01T00:00:00+08:00,9000 || return 1
    said=$(adjustments --cycle early) && is 1 "$(wc -l <<< "$said")" && has "$said" 'early P2 ' 'estimate None'
}

a_kill_or_a_rebuild_makes_none_twice() {
    before=$(adjustments)
    { echo serial,time,index_l; echo M2,2026-04-01T00:00:00+08:00,5800; } | nilo import readings - > /dev/null
    kill -9 "$nilod" && { wait "$nilod"; nilod_start --virtual-clock 2026-05-02T02:00:00+08:00; } 2> /dev/null && nilo settle || return 1
    said=$(adjustments) && is 1 "$(($(wc -l <<< "$said") - $(wc -l <<< "$before")))" || return 1
    kill -9 "$nilod" && { wait "$nilod"; nilod_start --virtual-clock 2026-05-02T03:00:00+08:00; } 2> /dev/null && nilo settle && is "$said" "$(adjustments)" || return 1
    nilod_stop && nilo store rebuild --store store --now 2026-05-02T03:00:00+08:00 --tz Asia/Shanghai --accept all > /dev/null 2>&1 || nilo store rebuild --store store > /dev/null || return 1
    nilod_start --virtual-clock 2026-05-02T04:00:00+08:00 && nilo settle && is "$said" "$(adjustments)"
}

what_arrives_while_a_cycle_is_closed_is_frozen_or_adjusted() {
    local i
    printf 'serial,dn,q3,verified_on\nMB,15,2.5,2026-01-01\n' | nilo import meters - > /dev/null
    { echo point,route; for i in $(seq 6000); do echo "B$i,R3"; done; } | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l\nB77,MB,2026-02-01T00:00:00+08:00,0\n' | nilo import fittings - > /dev/null
    readings MB,2026-03-01T00:00:00+08:00,1000 MB,2026-03-20T00:00:00+08:00,3000 || return 1
    call POST /v1/cycles '{"cycle":"big","from":"2026-03-01T00:00:00+08:00","to":"2026-04-01T00:00:00+08:00","routes":["R3"]}' > /dev/null
    call POST /v1/cycles/big/close '{}' > closed &
    i=$!
    call POST /v1/reads '{"point":"B77","at":"2026-03-30T00:00:00+08:00","index_l":4444}' > /dev/null
    call POST /v1/reads '{"point":"B77","at":"2026-04-01T00:00:00+08:00","index_l":5000}' > /dev/null
    wait "$i" && has "$(cat closed)" $'\n200' '"points":6000' && nilo settle || return 1
    frozen=$(call GET '/v1/cycles/big/determinants?limit=6000' | sed '$d' | python3 -c 'import json,sys
print(*[r["consumption_l"] for r in json.load(sys.stdin)["rows"] if r["point"]=="B77"])')
    echo "        frozen: $frozen"
    is 4000 "$(adjustments --cycle big | python3 -c 'import sys; print(round('"$frozen"'+sum(float(l.split()[2]) for l in sys.stdin)))')"
}

those_of_one_arrival_stand_by_the_cycles_begin_then_by_point() {
    printf 'route\nR4\nR5\n' | nilo import routes - > /dev/null
    printf 'serial,dn,q3,verified_on\nO1,15,2.5,2026-01-01\nO2,15,2.5,2026-01-01\nO3,15,2.5,2026-01-01\n' | nilo import meters - > /dev/null
    printf 'point,route\nPO1,R4\nPO2,R5\nPO3,R4\n' | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l\nPO1,O1,2026-02-01T00:00:00+08:00,0\nPO2,O2,2026-02-01T00:00:00+08:00,0\nPO3,O3,2026-02-01T00:00:00+08:00,0\n' | nilo import fittings - > /dev/null
    cycle late-4 2026-03-01T00:00:00+08:00 2026-04-01T00:00:00+08:00 R4 && cycle late-5 2026-03-01T00:00:00+08:00 2026-04-01T00:00:00+08:00 R5 || return 1
    cycle before-5 2026-02-01T00:00:00+08:00 2026-03-01T00:00:00+08:00 R5 || return 1
    before=$(adjustments | wc -l)
    readings O{3,2,1},2026-03-01T00:00:00+08:00,1000 O{3,2,1},2026-04-01T00:00:00+08:00,2000 || return 1
    is 'before-5 PO2, late-4 PO1, late-5 PO2, late-4 PO3' "$(adjustments | tail -n +$((before + 1)) | cut -d' ' -f1,2 | paste -sd, | sed 's/,/, /g')"
}

what_comes_late_for_the_place_that_a_meter_left_is_adjusted() {
    printf 'route\nR6\n' | nilo import routes - > /dev/null
    printf 'serial,dn,q3,verified_on\nW1,15,2.5,2026-01-01\n' | nilo import meters - > /dev/null
    printf 'point,route\nPW1,R6\nPW2,\n' | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l,to,end_index_l\nPW1,W1,2026-02-01T00:00:00+08:00,0,2026-04-20T00:00:00+08:00,3000\n' | nilo import fittings - > /dev/null
    readings W1,2026-03-01T00:00:00+08:00,1000 && cycle left 2026-03-01T00:00:00+08:00 2026-04-01T00:00:00+08:00 R6 || return 1
    printf 'point,serial,from,start_index_l\nPW2,W1,2026-04-25T00:00:00+08:00,3000\n' | nilo import fittings - > /dev/null
    readings W1,2026-04-26T00:00:00+08:00,3100 && is '' "$(adjustments --cycle left)" || return 1
    readings W1,2026-04-01T00:00:00+08:00,2500 && is 'left PW1 260 0 estimate None 1500' "$(adjustments --cycle left)"
}

determinants_and_adjustments_add_up_to_the_registers() {
    python3 "$source/tests/e2e/cycles_add_up.py" "$NILO_SERVER" "$(cat "$NILO_TOKEN_FILE")" "${NILO_SEED:-}"
}

nilod_start --virtual-clock 2026-04-04T12:00:00+08:00
world || { echo "the world could not be made"; exit 1; }
hold an_estimate_is_put_right_once a_late_exchange_is_told_apart time_alone_changes_nothing a_kill_or_a_rebuild_makes_none_twice \
    what_arrives_while_a_cycle_is_closed_is_frozen_or_adjusted those_of_one_arrival_stand_by_the_cycles_begin_then_by_point what_comes_late_for_the_place_that_a_meter_left_is_adjusted determinants_and_adjustments_add_up_to_the_registers
hold_end
