#!/usr/bin/env bash
# Meters of one house looked at together, from a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

here=$source/tests/e2e
readings() { python3 "$here/houses.py" "$@" | nilo import readings - > /dev/null; }
flags() { nilo flag list --format json "$@" | jq -r '[.rows[] | .serial + ":" + .kind + ":" + .state] | join(" ")'; }
house_flags() { nilo flag list --format json | jq -r '[.rows[] | select(.kind == "slow" or .kind == "swapped") | .serial + ":" + .kind + ":" + .state] | join(" ")'; }
house_ids() { nilo flag list --format json | jq -c '[.rows[] | select(.kind == "slow" or .kind == "swapped") | [.id, .onset, .evidence]]'; }
all_flags() { nilo flag list --format json | jq -cS '.rows'; }
evidence() { nilo flag list --format json --kind "$1" | jq -r --arg m "$2" --arg e "$3" '.rows[] | select(.serial == $m) | .evidence[$e]'; }

# A building's meter before six flats.
house() {
    local f
    { echo serial,dn,q3,verified_on; echo MB,40,16,2026-01-01; for f in 1 2 3 4 5 6 7; do echo "M$f,15,2.5,2026-01-01"; done; } | nilo import meters -
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

# M3 is heard again after weeks: only then M4 can be held against the building's meter, and M4 itself sent nothing new. What its own days show gives way: one flag.
a_meter_that_counts_less_than_runs_through_it_is_told_with_its_share() {
    local all id
    nilod_stop && rm -r store && nilod_start --virtual-clock 2026-03-31T09:00:00+08:00 || return 1
    house > house.log 2>&1 && readings 0 12 0 12 && nilo settle || return 1
    nilo clock set 2026-06-24T09:00:00+08:00 > /dev/null && readings 12 12 0 12 M3 && nilo settle || return 1
    is null "$(evidence slow M4 building_meter)" || return 1 # by its own days alone
    id=$(nilo flag list --kind slow --format json | jq -r '.rows[0].id')
    readings 12 12 0 12 && nilo settle || return 1
    is "$id" "$(nilo flag list --kind slow --format json | jq -r '.rows[0].id')" || return 1
    is 'M4:slow:open' "$(flags --kind slow)" && is MB "$(evidence slow M4 building_meter)" || return 1
    is true "$(nilo flag list --kind slow --format json | jq '.rows[0].evidence | .missed_low_pct < 40 and .missed_high_pct > 40')" || return 1
    has "$(nilo flag list --kind slow --format json | jq -r '.rows[0] | .text_en + .text_zh')" "building's meter MB" '楼栋总表 MB' || return 1
    is M4 "$(nilo replacement list --format json | jq -r '[.rows[] | select(.kinds == ["slow"]) | .serial] | join(" ")')" || return 1
    all=$(all_flags)
    nilod_stop && rm -r store/views* && nilod_start --virtual-clock 2026-06-24T09:00:00+08:00 && nilo settle || return 1
    is "$all" "$(all_flags)" || return 1
    # A new meter is another column: the old one's flag ends with it.
    exits 0 nilo meter exchange P4 --old M4 --old-index "$(nilo reading list M4 --from 2026-06-20T00:00:00Z --to 2026-06-24T00:00:00Z --format json | jq '[.rows[].index_l] | max')" --new M7 --new-index 0 --at 2026-06-24T08:00:00+08:00 --reason slow && nilo settle || return 1
    is 'M4:slow:cleared' "$(flags --kind slow)"
}

# Registers of 60 weeks are held at a time. Both faults lie in the first window alone when the last week is looked at, two turns of the year later.
what_stands_goes_on_over_the_turns_of_years() {
    local all ids told='M2:swapped:open M4:slow:open M5:swapped:open'
    nilod_stop && rm -r store && nilod_start --virtual-clock 2027-03-03T09:00:00+08:00 || return 1
    house > house.log 2>&1 && readings 0 60 45 40 '' 3 && nilo settle || return 1
    is "$told" "$(house_flags)" || return 1
    ids=$(house_ids)
    nilo clock set 2028-05-24T09:00:00+08:00 > /dev/null && readings 60 64 45 40 '' 3 && nilo settle || return 1
    is "$told" "$(house_flags)" || return 1
    is "$ids" "$(house_ids)" || return 1
    all=$(all_flags)
    nilod_stop && rm -r store/views* && nilod_start --virtual-clock 2028-05-24T09:00:00+08:00 && nilo settle || return 1
    is "$all" "$(all_flags)" || return 1
    # What stands ends where the meter leaves the house.
    printf 'point,use_class,behind\nB2,residential,\nP2,residential,B2\n' | nilo import points - > /dev/null && nilo settle || return 1
    nilo clock set 2028-06-01T09:00:00+08:00 > /dev/null && nilo settle || return 1
    is 'M2:swapped:cleared M4:slow:open M5:swapped:cleared' "$(house_flags)"
}

hold two_meters_that_count_each_others_water_name_each_other what_is_made_anew_says_the_same what_stands_goes_on_over_the_turns_of_years a_meter_that_counts_less_than_runs_through_it_is_told_with_its_share
hold_end
