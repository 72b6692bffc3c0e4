#!/usr/bin/env bash
# What meters say of themselves (clock, battery, interference) as flags, from a real nilod that hears native reports over CoAP. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

live() { python3 "$source/tests/e2e/reporting.py" "$coap" "$@"; }
# flags KIND MEMBER...: of all flags of the kind, in order of the meters.
flags() {
    nilo flag list --kind "$1" --format ndjson | python3 -c 'import json,sys
for f in (f for f in map(json.loads, sys.stdin) if "end" not in f):
    v = {**f["evidence"], **f}
    print(*[v.get(k) for k in sys.argv[1:]])' "${@:2}" | sort
}
all_flags() { nilo flag list --format json | jq -cS .rows; }
says() { nilo flag list --kind "$1" --format json | jq -r --arg m "$2" '.rows[] | select(.serial == $m) | .text_en + " / " + .text_zh'; }
event() { nilo meter event "$1" "$2" --document D-1 --at "$(nilo clock show --format json | jq -r .now)" > /dev/null; }

# All use 320 L a day and report daily at ten.
world() {
    { echo serial,dn,q3,verified_on; for m in C1 C2 B1 B2 T1 T2 T3 S1 V1; do echo "$m,15,2.5,2026-01-01"; done; } | nilo import meters - &&
    { echo point,use_class; for m in C1 C2 B1 B2 T1 T2 T3 S1 V1; do echo "P$m,residential"; done; } | nilo import points - &&
    { echo point,serial,from,start_index_l; for m in C1 C2 B1 B2 T1 T2 T3 S1 V1; do echo "P$m,$m,2026-02-20T00:00:00+08:00,0"; done; } | nilo import fittings -
}

who_says_nothing_special_has_no_flag() {
    nilod_start --virtual-clock 2026-02-25T09:00:00+08:00
    world > world.log 2>&1 || { cat world.log; return 1; }
    live 30 C1 C2 B1 B2 T1 T2 T3 S1 V1 || return 1
    is '[]' "$(all_flags)"
}

# From 28 March on C1 is an hour ahead, C2 runs off, B1 empties, B2 says that it is low, T1 reports a magnet and uses less, T2 an empty pipe; T3 says so twice alone, and S1 is suspended.
each_says_what_is_wrong_since_when_and_what_to_do() {
    event S1 suspend || return 1
    live 2 C1:off=3600 C2:drift=40 B1:fall=25 B2:status=4 T1:use=96,status=8 T2:status=256 T3:status=16 S1:use=0,status=16 V1 || return 1
    is '' "$(flags clock serial)$(flags tamper serial)" && is 'B2 open' "$(flags battery serial state)" || return 1
    live 12 C1 C2:drift=40 B1:fall=25 B2:status=4 T1:use=96,status=8 T2:status=256 T3 S1:use=0,status=16 V1 || return 1
    is 'C1 PC1 open medium 2026-03-28T02:00:00Z 3600 3600 120
C2 PC2 open low' "$(flags clock serial point state severity onset offset_s worst_offset_s limit_s | sed -E 's/^(C2 PC2 open low) .*/\1/')" || return 1
    has "$(says clock C1)" 'clock is 60 min fast, since 2026-03-28 10:00' 'set it by command' '时钟快60分钟' '始于2026-03-28 10:00' '对时命令' || return 1
    has "$(says clock C2)" ' fast, 4' 's more each day, since 2026-03-2' '每天偏4' || return 1
    is 'B1 open medium 2520
B2 open medium 2520' "$(flags battery serial state severity end_mv | sed -E 's/2527|2520/2520/')" || return 1
    has "$(says battery B1)" 'The battery is running out' 'mV less each day' 'Change battery or meter before 2026-' 'or it falls silent' '电池即将耗尽' '请更换电池或水表，最迟2026-' || return 1
    has "$(says battery B2)" 'says that its battery is low' '报告电池电量低' || return 1
    is 'T1 open high 2026-03-28T02:00:00Z 14 3 1
T2 open low 2026-03-28T02:00:00Z 14 3 0' "$(flags tamper serial state severity onset reports reports_limit magnet)" || return 1
    has "$(says tamper T1)" 'reported a magnet 14 times since 2026-03-28 10:00' 'use fell from 31' ' L to 9' ' L a day' 'unannounced' '强磁14次' '日用水由31' '降至9' '铅封' || return 1
    has "$(says tamper T2)" 'an empty pipe 14 times' 'whether the pipe has water' '空管14次' || return 1
    # Of 320 L a day 96 are left.
    is 'T1 true true 0.95
T2 false false 0.65' "$(nilo flag list --kind tamper --format json | jq -r '.rows[] | "\(.serial) \(.lost_lpd > 205 and .lost_lpd < 230) \(.lost_low < 0.71 * .lost_lpd and .lost_high > 1.29 * .lost_lpd) \(.confidence)"' | sort)"
}

# The clock of C1 is set, B1 has a new battery, T1 says nothing for ten days and then says it again: one case.
it_ends_when_that_has_lasted_and_one_case_stays_one() {
    live 10 C1:off=0 C2:off=0 B1:mv=3610 B2 T1 T2 V1 || return 1
    is 'C1 cleared 2026-04-14T02:00:00Z
C2 cleared 2026-04-14T02:00:00Z' "$(flags clock serial state cleared_at)" || return 1
    is 'B1 cleared
B2 cleared' "$(flags battery serial state)" || return 1
    is 'T1 open
T2 open' "$(flags tamper serial state)" || return 1
    live 3 T1:status=8 T2 C1 C2 B1 B2 V1 && is 'T1 open 17
T2 open 14' "$(flags tamper serial state reports)" || return 1
    live 13 T1:status=8 T2 C1 C2 B1 B2 V1 || return 1
    is 'T1 open
T2 cleared' "$(flags tamper serial state)" && is 6 "$(nilo flag list --format json | jq '[.rows[] | select(.kind | test("clock|battery|tamper"))] | length')"
}

nobody_goes_to_a_meter_that_is_suspended() {
    is '' "$(flags tamper serial | grep S1)" || return 1
    event T1 suspend && nilo settle && is 'T1 cleared' "$(flags tamper serial state | grep T1)" || return 1
    event S1 resume && live 2 S1:status=16 T1:status=8 V1 || return 1
    is 'S1 open' "$(flags tamper serial state | grep S1)" && is 'T1 cleared' "$(flags tamper serial state | grep T1)" || return 1
    event T1 resume && live 1 T1:status=8 S1:status=16 V1 && is 'T1 open' "$(flags tamper serial state | grep T1)" || return 1
    is 1 "$(flags tamper serial | grep -c T1)"
}

a_rebuild_finds_the_same_and_what_people_said() {
    local before id now
    now=$(nilo clock show --format json | jq -r .now)
    id=$(flags tamper serial id | sed -n 's/^T1 //p')
    exits 0 nilo flag confirm "$id" --note 'a magnet at its back' && exits 0 nilo flag dismiss "$(flags battery serial id | sed -n 's/^B2 //p')" --note 'new already' && nilo settle || return 1
    before=$(all_flags)
    nilod_stop && exits 0 "$build/nilo" store rebuild --store store --virtual-clock "$now" && nilod_start --virtual-clock "$now" && nilo settle || return 1
    is "$before" "$(all_flags)" && is 'T1 confirmed' "$(flags tamper serial state | grep T1)"
}

# replayed RULE [FIGURE...]: begins a replay, waits until it is done, and tells its counts.
replayed() {
    local id shown
    id=$(nilo rule replay "$@" --format json | jq -r .id) || return 1
    while shown=$(nilo replay show "$id" --format json) && [[ $(jq -r .state <<< "$shown") == running ]]; do nilo settle; done
    jq -r '"\(.state) came \(.came) gone \(.gone) moved \(.moved) same \(.same)"' <<< "$shown"
}

# What reports showed is kept, so that stricter figures are tried on it as on any day to come.
their_figures_are_rules_that_can_be_tried_on_the_past() {
    is 'done came 0 gone 0 moved 0 same 3' "$(replayed tamper)" && is 'done came 0 gone 0 moved 0 same 2' "$(replayed clock)" && is 'done came 0 gone 0 moved 0 same 2' "$(replayed battery)" || return 1
    is 'done came 0 gone 0 moved 2 same 1' "$(replayed tamper reports=12)" || return 1
    is 'done came 0 gone 1 moved 0 same 1' "$(replayed clock offset_min=15)" || return 1 # C2 ran off by nine minutes
    is 'done came 0 gone 1 moved 0 same 1' "$(replayed battery ahead_months=1)" || return 1 # B1 had weeks left
    exits 0 nilo rule set tamper reports=6 --from 2026-05-10 --note 'fewer visits' && exits 1 nilo rule set tamper reports=2 --from 2026-05-10 && has "$said" '3 to 12' || return 1
    nilo clock set 2026-05-10T09:00:00+08:00 > /dev/null
}

# Nobody looks at a meter at this instant but because its own figure says so.
a_silence_is_told_when_its_own_figure_says_so() {
    exits 0 nilo rule set silent hours=120 --from 2026-05-11 || return 1 # V1 was heard on 9 May at ten
    nilo clock set 2026-05-12T11:00:00+08:00 > /dev/null && nilo settle && is '' "$(flags silent serial | grep V1)" || return 1
    nilo clock set 2026-05-14T09:00:00+08:00 > /dev/null && nilo settle && is '' "$(flags silent serial | grep V1)" || return 1
    nilo clock set 2026-05-14T10:30:00+08:00 > /dev/null && nilo settle && is 'V1 open 120' "$(flags silent serial state limit_h | grep V1)"
}

hold who_says_nothing_special_has_no_flag each_says_what_is_wrong_since_when_and_what_to_do it_ends_when_that_has_lasted_and_one_case_stays_one \
    nobody_goes_to_a_meter_that_is_suspended a_rebuild_finds_the_same_and_what_people_said their_figures_are_rules_that_can_be_tried_on_the_past \
    a_silence_is_told_when_its_own_figure_says_so
hold_end
