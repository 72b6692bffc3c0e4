#!/usr/bin/env bash
# Meters of one house looked at together, from a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

here=$source/tests/e2e
readings() { python3 "$here/houses.py" "$@" | nilo import readings - > /dev/null; }
flags() { nilo flag list --format json "$@" | jq -r '[.rows[] | .serial + ":" + .kind + ":" + .state] | join(" ")'; }
all_flags() { nilo flag list --format json | jq -cS '.rows'; }
evidence() { nilo flag list --format json --kind "$1" | jq -r --arg m "$2" --arg e "$3" '.rows[] | select(.serial == $m) | .evidence[$e]'; }

# A building's meter before six flats.
house() {
    local f
    { echo serial,dn,q3,verified_on; echo MB,40,16,2026-01-01; for f in 1 2 3 4 5 6; do echo "M$f,15,2.5,2026-01-01"; done; } | nilo import meters -
    { echo point,use_class,behind; echo B,residential,; for f in 1 2 3 4 5 6; do echo "P$f,residential,B"; done; } | nilo import points -
    { echo point,serial,from,start_index_l; echo B,MB,2026-01-01T00:00:00+08:00,0; for f in 1 2 3 4 5 6; do echo "P$f,M$f,2026-01-01T00:00:00+08:00,0"; done; } | nilo import fittings -
}

two_meters_that_count_each_others_water_name_each_other() {
    nilod_start --virtual-clock 2026-03-31T09:00:00+08:00
    house > house.log 2>&1 || { cat house.log; return 1; }
    readings 0 12 12 0 && nilo settle || return 1
    is '' "$(flags --kind swapped)" || return 1
    nilo clock set 2026-06-24T09:00:00+08:00 > /dev/null && readings 12 12 12 0 && nilo settle || return 1
    is 'M2:swapped:open M5:swapped:open' "$(flags --kind swapped)" || return 1
    is 'M5 M2' "$(evidence swapped M2 other_meter) $(evidence swapped M5 other_meter)" || return 1
    has "$(nilo flag list --kind swapped --format json | jq -r '.rows[0] | .text_en + .text_zh + .onset')" 'meter M5 of the same building' '同楼水表 M5' 2026-03-29T || return 1
    is "$(evidence swapped M2 use_since_lpd)" "$(evidence swapped M5 other_since_lpd)"
}

what_is_made_anew_says_the_same() {
    local before
    before=$(all_flags)
    nilod_stop && rm -r store/views* && nilod_start --virtual-clock 2026-06-24T09:00:00+08:00 && nilo settle || return 1
    is "$before" "$(all_flags)"
}

hold two_meters_that_count_each_others_water_name_each_other what_is_made_anew_says_the_same
hold_end
