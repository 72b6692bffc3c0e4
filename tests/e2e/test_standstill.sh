#!/usr/bin/env bash
# A meter that stops, one that stops and goes, and one that never turned, from a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

export TZ=UTC
# lived METER: a reading an hour from stdin's lines of hours and litres an hour, one after the other, from 2026-01-01T00:00+08:00 on; six hours of each night without use.
lived() {
    awk -v m="$1" 'BEGIN { t = 1767196800; v = 0; printf "%s,%d,%d\n", m, t, v }
        { for (i = 0; i < $1; i++) { v += int((t + 28800) / 3600) % 24 >= 6 ? $2 : 0; t += 3600; printf "%s,%d,%d\n", m, t, v } }' |
        while IFS=, read -r m t v; do printf '%s,%(%FT%TZ)T,%d\n' "$m" "$t" "$v"; done
}
flag() { nilo flag list --serial "$1" --format json | jq -r "[.rows[] | $2 | tostring] | join(\" \")"; }

world() {
    printf 'serial,dn,q3\nS1,15,2.5\nS2,15,2.5\nOLD,15,2.5\nNEW,15,2.5\nBARE,15,2.5\n' | nilo import meters -
    printf 'point,account,address,use_class\nP1,A1,Road 1,residential\nP2,A2,Road 2,residential\nP3,A3,Road 3,residential\nP4,A4,Road 4,residential\n' | nilo import points -
    printf 'point,serial,from,start_index_l,to,end_index_l\nP1,S1,2026-01-01T00:00:00+08:00,0,,\nP2,S2,2026-01-01T00:00:00+08:00,0,,\nP3,OLD,2025-01-01T00:00:00+08:00,0,2026-01-01T00:00:00+08:00,109500\nP3,NEW,2026-01-01T00:00:00+08:00,0,,\nP4,BARE,2026-01-01T00:00:00+08:00,0,,\n' | nilo import fittings -
    {
        echo serial,time,index_l
        echo '2160 20
240 0' | lived S1
        { echo 1560 20; for h in 26 44 15 33 60 19 28 50 38 24 70 30 21 47 29 55; do printf '%d 0\n5 40\n' "$h"; done; echo 9 0; } | lived S2
        echo '960 0' | lived NEW
        echo '960 0' | lived BARE
    } | nilo import readings -
    nilo settle
}

a_standstill_is_a_suspicion_at_first_and_stop_and_go_is_sure() {
    nilod_start --virtual-clock 2026-04-12T09:00:00+08:00
    world > world.log 2>&1 || { cat world.log; return 1; }
    is 'stuck open low' "$(flag S1 '.kind, .state, .severity')" || return 1
    is true "$(flag S1 '.confidence < 0.2 or (.confidence >= 1 and .confidence < 20)')" || return 1
    has "$(flag S1 .text_en)" 'ask the customer before anybody goes' && has "$(flag S1 .text_zh)" '派工前请先联系用户' || return 1
    is 'stuck open' "$(flag S2 '.kind, .state')" && has "$(flag S2 .text_en)" 'stops and goes since' || return 1
}

a_meter_that_never_turned_is_told_by_what_the_one_before_it_measured() {
    is 'unmoved open' "$(flag NEW '.kind, .state')" && has "$(flag NEW .text_en)" 'the meter before it measured 300 L a day' || return 1
    is '' "$(flag BARE .kind)" || return 1 # the flat may be empty: not before two months
}

a_rebuild_finds_them_again() {
    nilo flag list --format json | jq -c '.rows[]' > before
    nilod_stop && exits 0 "$build/nilo" store rebuild --store store && nilod_start --virtual-clock 2026-04-12T09:00:00+08:00 && nilo settle || return 1
    nilo flag list --format json | jq -c '.rows[]' | diff before - || return 1
}

# ---- many at once, on days that no calendar knows of: 60 homes, four readings a day. H01 to H40 leave on day 24 and are back on day 36; H41 stops on day 20. ----

homes() {
    local n
    { echo serial,dn,q3; for n in {01..60}; do echo "H$n,15,2.5"; done; } > meters.csv
    { echo point,use_class; for n in {01..60}; do echo "Q$n,residential"; done; } > points.csv
    { echo point,serial,from,start_index_l; for n in {01..60}; do echo "Q$n,H$n,2026-04-01T00:00:00+08:00,0"; done; } > fittings.csv
    for list in meters points fittings; do nilo import $list $list.csv || return 1; done
}
# days FROM TO: day by day its readings come, and are settled in the afternoon.
days() {
    local day
    for ((day = $1; day < $2; day++)); do
        awk -v day="$day" 'BEGIN { print "serial,time,index_l"
            for (m = 1; m <= 60; m++) {
                stops = m <= 40 ? 24 : m == 41 ? 20 : 9999; back = m <= 40 ? 36 : 9999
                for (h = day * 24 - 6; h <= day * 24 + 12; h += 6) if (h >= 0) {
                    lived = h / 24 < stops ? h : h / 24 < back ? stops * 24 : h - (back - stops) * 24
                    printf "H%02d,%d,%d\n", m, 1774972800 + h * 3600, int(lived / 24) * (150 + 3 * m) + (lived % 24 > 0 ? (lived % 24) / 6 * 40 : 0)
                }
            } }' | while IFS=, read -r m t v; do [[ $m == serial ]] && echo "$m,$t,$v" || printf '%s,%(%FT%TZ)T,%d\n' "$m" "$t" "$v"; done > day.csv
        nilo clock set "$(date -u -d "2026-04-01T07:00:00Z + $day days" +%FT%TZ)" > clock.log && nilo import readings day.csv > import.log && nilo settle > settle.log || return 1
    done
}
flags() { nilo flag list --format json | jq -r '[.rows[] | .kind + " " + .serial + " " + .state] | join(", ")'; }
lulls() { nilo audit list --format ndjson | grep -c "\"what\":\"lull\""; }

who_leaves_with_many_others_is_suspected_of_nothing() {
    nilod_stop
    rm -rf store
    nilod_start --virtual-clock 2026-04-01T07:00:00+08:00 && homes > homes.log 2>&1 || return 1
    days 0 24 && is '' "$(flags)" && is 0 "$(lulls)" || return 1
    days 24 36 || return 1 # more than base, 7.5 days
    is 'stuck H41 open' "$(flags)" && is 1 "$(($(lulls) >= 8))" # H41 had stood four days more
}

they_come_back_and_the_one_that_stopped_does_not() {
    days 36 38 && is 'stuck H41 open' "$(flags)"
}

a_rebuild_knows_of_those_days_too() {
    nilo flag list --format json | jq -c '.rows[]' > before
    nilod_stop && exits 0 "$build/nilo" store rebuild --store store && nilod_start --virtual-clock 2026-05-08T15:00:00+08:00 && nilo settle || return 1
    nilo flag list --format json | jq -c '.rows[]' | diff before -
}

hold a_standstill_is_a_suspicion_at_first_and_stop_and_go_is_sure a_meter_that_never_turned_is_told_by_what_the_one_before_it_measured a_rebuild_finds_them_again who_leaves_with_many_others_is_suspected_of_nothing they_come_back_and_the_one_that_stopped_does_not a_rebuild_knows_of_those_days_too
hold_end
