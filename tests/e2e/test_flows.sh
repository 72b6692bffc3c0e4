#!/usr/bin/env bash
# Water that leaks, bursts, flows back and goes to and fro, over a real nilod: when it is told, of what, with which evidence, and when it is over. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
here=$source/tests/e2e

# Meters, and what happens behind each, are those of flows.py. The account of AWAY is suspended from the 19th of March (day 18) on.
world() {
    local list m
    { echo serial,dn,q3,register; for m in QUIET LEAK GROWS BURST CAUSE AWAY; do echo "$m,15,2.5,forward"; done; echo BOTH,15,2.5,both; echo TURNS,15,2.5,both; echo NET,15,2.5,net; echo DIGITS,15,2.5,net; } > meters.csv
    { echo point,use_class; for m in QUIET LEAK GROWS BURST CAUSE AWAY BOTH TURNS NET DIGITS; do echo "P-$m,residential"; done; } > points.csv
    { echo point,serial,from,start_index_l; for m in QUIET LEAK GROWS BURST CAUSE AWAY BOTH TURNS NET DIGITS; do echo "P-$m,$m,2026-03-01T00:00:00+08:00,5000"; done; } > fittings.csv
    for list in meters points fittings; do nilo import $list $list.csv || return 1; done
}
# days FROM TO: their readings; then it is 02:00 of the day `TO`.
days() {
    python3 "$here/flows.py" "$1" "$2" > readings.csv || return 1
    nilo clock set "$(date -u -d "2026-02-28T18:00:00Z + $2 days" +%FT%TZ)" > /dev/null && nilo import readings readings.csv > /dev/null && nilo settle
}
# flag SERIAL KIND: its rows, one a line.
flag() { nilo flag list --serial "$1" --kind "$2" --format ndjson | grep '"serial"'; }
# told SERIAL KIND FILTER: what jq makes of its only flag; says how many there are if that is not one.
told() {
    flag "$1" "$2" > told.rows
    [[ $(wc -l < told.rows) == 1 ]] || { echo "$(wc -l < told.rows) flags $2 of $1"; return; }
    jq -r "$3" told.rows
}
kinds() { nilo flag list --serial "$1" --format ndjson | jq -r 'select(.kind) | .kind + ":" + .state' | sort | tr '\n' ' '; }

who_lives_as_before_is_told_of_nothing() {
    days 0 15 || return 1
    is 0 "$(nilo flag list --format ndjson | grep -c '"serial"')"
}

a_leak_is_told_within_two_days_from_when_it_began() {
    days 15 18 && exits 0 nilo meter event AWAY suspend --document LETTER-1 --at 2026-03-19T00:00:00+08:00 && days 18 23 || return 1
    is 'open 2026-03-21T03:00:00Z' "$(told LEAK leak '.state + " " + .onset')" || return 1 # from the last hour on in which nothing flowed
    is 'true true' "$(told LEAK leak '"\(.lost_lpd > 430 and .lost_lpd < 530) \(.lost_low < .lost_lpd and .lost_lpd < .lost_high)"')" || return 1
    is 'true true true true' "$(told LEAK leak '.evidence | "\(.min_flow_lph >= 18 and .min_flow_lph <= 22) \(.usual_flow_lph < 1) \(.flowing_hours >= 24) \(.lost_l >= 380)"')" || return 1
    has "$(told LEAK leak '.text_en')" 'Water has run without a pause since 2026-03-21 11:00' "Shut the customer's valve" || return 1
    has "$(told LEAK leak '.text_zh')" '自2026-03-21 11:00起至少连续' '请关闭户内阀门核对' || return 1
    is 'leak:open ' "$(kinds LEAK)"
}

a_burst_is_told_at_once_and_over_when_it_stopped() {
    is 'cleared 2026-03-20T19:00:00Z urgent' "$(told BURST burst '[.state, .onset, .severity] | join(" ")')" || return 1
    is true "$(told BURST burst '.cleared_at >= "2026-03-21T05:00:00Z" and .cleared_at <= "2026-03-21T06:00:00Z"')" || return 1
    is 'true true true' "$(told BURST burst '.evidence | "\(.min_flow_lph > 950 and .min_flow_lph < 1050) \(.limit_lph == 675) \(.lost_l > 8000)"')" || return 1
    has "$(told BURST burst '.text_en + .text_zh')" 'Since 2026-03-21 03:00' 'Call the customer at once' '疑似爆管' || return 1
    is 'burst:cleared ' "$(kinds BURST)"
}

water_that_flowed_back_once_is_told_by_both_registers() {
    is 'open 2026-03-21T06:00:00Z high true' "$(told BOTH backflow '[.state, .onset, .severity, (.evidence.back_l >= 299 and .evidence.back_l <= 301)] | join(" ")')" || return 1
    is 'open 2026-03-21T06:00:00Z high true' "$(told NET backflow '[.state, .onset, .severity, (.evidence.back_l >= 390)] | join(" ")')" || return 1
    has "$(told BOTH backflow '.text_en + .text_zh')" 'flowed back through the meter from 2026-03-21 14:00' 'water sample' '经水表倒流' || return 1
    is 'backflow:open ' "$(kinds BOTH)" && is 'backflow:open ' "$(kinds NET)"
}

a_leak_alone_is_an_order_of_its_own() {
    is 'leak:go' "$(nilo field list --format json | jq -r '[.rows[] | select(.serial == "CAUSE") | .kind + ":" + .why] | join(" ")')" || return 1
    has "$(nilo order make leak-inspect --dry-run --format json)" CAUSE
}

what_goes_to_and_fro_by_night_turns_by_itself() {
    days 23 26 || return 1
    is 'open medium' "$(told TURNS selfturn '.state + " " + .severity')" || return 1
    is 'true true true' "$(told TURNS selfturn '.evidence | "\(.nights >= 3) \(.night_back_l >= 20 and .night_back_l <= 40) \(.night_forward_l >= 20 and .night_forward_l <= 40)"')" || return 1
    has "$(told TURNS selfturn '.text_en + .text_zh')" 'to and fro by itself' 'since 2026-03-21' '水表自转' || return 1
    is 'selfturn:open ' "$(kinds TURNS)"
}

digits_that_are_read_wrong_are_no_water() { is '' "$(kinds DIGITS)" && is '' "$(kinds QUIET)"; }

a_leak_beside_a_burst_is_one_cause_and_one_order() {
    days 26 28 || return 1
    is 'burst:open leak:open ' "$(kinds CAUSE)" || return 1
    is 'burst:go' "$(nilo field list --format json | jq -r '[.rows[] | select(.serial == "CAUSE") | .kind + ":" + .why] | join(" ")')" || return 1
    is 'burst,leak' "$(nilo field list --format json | jq -r '.rows[] | select(.serial == "CAUSE") | .kinds | sort | join(",")')" || return 1
    is '' "$(nilo field list --kind leak --format json | jq -r '.rows[] | select(.serial == "CAUSE") | .why')" || return 1
    is 0 "$(nilo order make leak-inspect --dry-run --format json | grep -c CAUSE)" || return 1 # before the pipe burst it was made
    is 'CAUSE open burst,leak' "$(nilo leak list --serial CAUSE --format json | jq -r '.rows[] | [.serial, .state, (.kinds | sort | join(","))] | join(" ")')"
}

a_leak_clears_when_nothing_flows_any_more() {
    is 'cleared true' "$(told LEAK leak '"\(.state) \(.cleared_at >= "2026-03-27T04:00:00Z" and .cleared_at <= "2026-03-27T16:00:00Z")"')" || return 1
    is 'leak:cleared ' "$(kinds LEAK)"
}

a_leak_that_grows_is_told_as_growing() {
    days 28 40 || return 1
    is 'open true' "$(told GROWS leak '"\(.state) \(.evidence.grown_times >= 1.5)"')" || return 1
    has "$(told GROWS leak '.text_en + .text_zh')" growing 增大 || return 1
    is 'leak:open ' "$(kinds GROWS)"
}

where_the_account_is_suspended_no_leak_is_raised_until_it_is_not() {
    is '' "$(kinds AWAY)" || return 1
    exits 0 nilo meter event AWAY resume --at 2026-04-10T00:00:00+08:00 && days 40 45 || return 1
    is 'leak:open ' "$(kinds AWAY)"
}

back_flow_is_over_after_a_week_without_another() { is 'backflow:cleared ' "$(kinds BOTH)" && is 'backflow:cleared ' "$(kinds NET)"; }

a_rebuild_finds_the_same_flags() { flags_survive_a_rebuild 2026-04-14T18:00:00Z; }

nilod_start --tz Asia/Shanghai --virtual-clock 2026-03-01T02:00:00Z
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold who_lives_as_before_is_told_of_nothing a_leak_is_told_within_two_days_from_when_it_began a_burst_is_told_at_once_and_over_when_it_stopped \
    water_that_flowed_back_once_is_told_by_both_registers a_leak_alone_is_an_order_of_its_own what_goes_to_and_fro_by_night_turns_by_itself digits_that_are_read_wrong_are_no_water \
    a_leak_beside_a_burst_is_one_cause_and_one_order a_leak_clears_when_nothing_flows_any_more a_leak_that_grows_is_told_as_growing \
    where_the_account_is_suspended_no_leak_is_raised_until_it_is_not back_flow_is_over_after_a_week_without_another a_rebuild_finds_the_same_flags
hold_end
