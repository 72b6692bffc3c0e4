#!/usr/bin/env bash
# What comes in wrong, at a real nilod over CoAP: none of it is a leak, a standstill, a reversed or a slow meter, and what can be told is. Each function is a claim; one that returns an error has
# failed. (tests/scenario/test_bad_input.c has many lives of each through the detectors.)
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

live() { python3 "$source/tests/e2e/reporting.py" "$coap" "$@"; }
flags() { nilo flag list --format json | jq -r '[.rows[] | select(.kind != "silent") | .serial + ":" + .kind + ":" + .state] | join(" ")'; }
# suspect METER: the rules by which readings of it take no part, each once.
suspect() { nilo reading list "$1" --from 2026-02-20T00:00:00Z --to 2026-09-01T00:00:00Z --format ndjson | jq -r 'select(.suspect) | .rule' | sort -u; }
at() { nilo clock show --format json | jq -r .now; }
# newest METER: its newest reading, in litres.
newest() { nilo reading list "$1" --from "$(date -u -d "$(at) - 1 day" +%FT%TZ)" --to "$(date -u -d "$(at) + 1 minute" +%FT%TZ)" --format ndjson | jq -r 'select(.index_l) | .index_l' | tail -n 1; }
read_dial() { curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Content-Type: application/json' -X POST "$NILO_SERVER/v1/reads" -d "{\"point\":\"$1\",\"at\":\"$(at)\",\"index_l\":$2,\"reader\":\"li\"}"; }

# W1 to W6 have forward registers; N1 and N2 net ones.
all='W1 W2 W3 W4 W5 W6 N1:channel=2 N2:channel=2'
world() {
    { echo serial,dn,q3,register,verified_on; for m in 1 2 3 4 5 6; do echo "W$m,15,2.5,forward,2026-01-01"; done; echo N1,15,2.5,net,2026-01-01; echo N2,15,2.5,net,2026-01-01; } | nilo import meters - &&
    { echo point,account,use_class; for m in W1 W2 W3 W4 W5 W6 N1 N2 X6; do echo "P$m,A$m,residential"; done; } | nilo import points - &&
    { echo point,serial,from,start_index_l; for m in W1 W2 W3 W4 W5 W6 N1 N2; do echo "P$m,$m,2026-02-20T00:00:00+08:00,0"; done; } | nilo import fittings -
}

sound_meters_have_no_flag() {
    nilod_start --virtual-clock 2026-02-25T09:00:00+08:00
    world > world.log 2>&1 || { cat world.log; return 1; }
    # shellcheck disable=SC2086 # many words
    live 50 $all || return 1
    is '' "$(flags)"
}

# W1's decoder says 80 000 m³ once, W2's clock is three days slow for as many days, W3 sends a day twice, W4 is re-based by technicians, W5 lost a day but for one value that was made up,
# N1 is read in whole cubic metres in between: on a net register a fall and a rise.
each_goes_wrong_in_its_own_way() {
    live 1 W1:glitch=80000000 W2:off=-259200 W3 W4:set=700000 W5:guess=400 W6 N1:channel=2 N2:channel=2,glitch=80000000 || return 1
    for m in N1 W6; do
        has "$(read_dial "P$m" $(($(newest $m) / 1000 * 1000)))" '"point"' || return 1
    done
    live 2 W1 W2:off=-259200 W3:again=1 W4 W5 W6 N1:channel=2 N2:channel=2 || return 1
    live 1 W1 W2:off=0 W3 W4 W5 W6 N1:channel=2 N2:channel=2
}

none_of_it_is_a_leak_a_standstill_or_a_slow_meter() {
    is '' "$(flags)" || return 1
    # shellcheck disable=SC2086
    live 35 $all || return 1
    is '' "$(flags)"
}

what_cannot_be_is_listed_as_such_and_counts_for_nothing() {
    is ceiling "$(suspect W1)" && is ceiling "$(suspect N2)" || return 1
    # Not N2: on a net register the walk's rule bounds a turn back on one side alone, and takes what lies beyond the dial for one.
    local use
    for m in W1 W3 W6 N1; do
        use=$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" "$NILO_SERVER/v1/points/P$m/consumption?from=2026-03-01T16:00:00Z&to=2026-04-30T16:00:00Z" | jq .consumption_l)
        is 19200 "$use" || { echo "      of $m"; return 1; }
    done
}

# Where it lasts it is told, as what it is.
a_clock_that_stays_wrong_is_a_wrong_clock_and_nothing_else() {
    # shellcheck disable=SC2086
    live 6 W1 W2:off=-259200 W3 W4 W5 W6 N1:channel=2 N2:channel=2 || return 1
    is 'W2:clock:open' "$(flags)" || return 1
    # shellcheck disable=SC2086
    live 12 W1 W2:off=0 W3 W4 W5 W6 N1:channel=2 N2:channel=2 || return 1
    is 'W2:clock:cleared' "$(flags)"
}

# W6 goes on at a point where little is used, and its former point gets none.
a_meter_that_moves_to_another_customer_takes_no_habit_with_it() {
    local index now
    now=$(at) index=$(newest W6)
    printf 'point,serial,from,start_index_l,to,end_index_l\nPW6,W6,2026-02-20T00:00:00+08:00,0,%s,%s\nPX6,W6,%s,%s,,\n' "$now" "$index" "$now" "$index" > moved.csv
    exits 0 nilo import fittings moved.csv || return 1
    live 45 W1 W6:use=48 || return 1
    is 'W2:clock:cleared' "$(flags)"
}

a_rebuild_finds_the_same() {
    local before now
    nilo settle
    before=$(nilo flag list --format json | jq -cS .rows) now=$(at)
    nilod_stop && exits 0 "$build/nilo" store rebuild --store store --virtual-clock "$now" && nilod_start --virtual-clock "$now" && nilo settle || return 1
    is "$before" "$(nilo flag list --format json | jq -cS .rows)"
}

hold sound_meters_have_no_flag each_goes_wrong_in_its_own_way none_of_it_is_a_leak_a_standstill_or_a_slow_meter what_cannot_be_is_listed_as_such_and_counts_for_nothing \
    a_clock_that_stays_wrong_is_a_wrong_clock_and_nothing_else a_meter_that_moves_to_another_customer_takes_no_habit_with_it a_rebuild_finds_the_same
hold_end
