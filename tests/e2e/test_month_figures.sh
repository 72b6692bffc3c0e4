#!/usr/bin/env bash
# Figures of a month of a town by the dice, against a real nilod; figures.py reckons every one of them by itself. Then closing: by two at once, killed at any instant, and what stands afterwards.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }

tell() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Content-Type: application/json' -d "$2" "${@:3}" "$NILO_SERVER$1"; }

of_two_who_close_at_once_one_does() {
    local other
    tell /v1/figures/2026-02/close '{}' > one &
    other=$!
    tell /v1/figures/2026-02/close '{}' > two
    wait $other
    is '200 409' "$({ tail -n1 one; echo; tail -n1 two; } | sort | xargs)" || return 1
    has "$(cat one two)" '"digest":"' 'closed it at' || return 1
    is 2 "$(nilo figure months --format ndjson | grep -c frozen_at)"
}

the_same_request_again_gives_the_same_answer_and_closes_nothing_more() {
    local first
    first=$(tell /v1/figures/2026-01/close '{"note":"late"}' -H 'Idempotency-Key: jan')
    has "$first" $'\n200' '"month":"2026-01"' && is "$first" "$(tell /v1/figures/2026-01/close '{"note":"late"}' -H 'Idempotency-Key: jan')"
}

# Whatever the instant, after a start the month is closed with all its groups, or it is not closed at all.
a_closing_that_is_killed_closed_nothing_or_all() {
    mkfifo silence && exec 4<> silence # nothing ever comes of it: waiting for it takes as long as is told
    local n month asker closed=0 open=0
    for n in 1 2 3 4 5 6 7 8; do
        month=2025-0$n
        tell /v1/figures/$month/close '{}' > killed &
        asker=$!
        read -r -t "$(printf '0.%03d' $((n * 12 - 12)))" -u 4
        kill -9 "$nilod"
        wait "$nilod" $asker 2> /dev/null
        exits 0 "$build/nilo" store check --store store || return 1
        nilod_start --virtual-clock 2026-04-06T00:00:00Z --tz Asia/Shanghai
        if nilo figure months --format ndjson | grep -q "\"$month\""; then
            closed=$((closed + 1))
        else
            open=$((open + 1))
            has "$(tell /v1/figures/$month/close '{}')" $'\n200' || return 1
        fi
        is $((16 * $(nilo figure months --format ndjson | sed -nE "/$month/s/.*\"groups\":([0-9]+).*/\1/p"))) "$(nilo figure list --month $month --later false --format ndjson | grep -c '"final":true')" || return 1
    done
    echo "      $closed closed, $open open"
}

what_is_closed_is_the_same_after_a_restart() {
    nilo figure list --month 2026-03 --later false --format csv > before
    nilod_stop && nilod_start --virtual-clock 2026-04-07T00:00:00Z --tz Asia/Shanghai || return 1
    nilo figure list --month 2026-03 --later false --format csv > after && cmp before after && [[ $(wc -l < before) -gt 200 ]] || return 1
    exits 0 "$build/nilo" store check --store store
}

by_rule_a_month_is_closed_from_a_day_of_the_next_on() {
    nilod_stop && nilod_start --virtual-clock 2026-05-09T15:59:59Z --tz Asia/Shanghai --figures-close-day 10 || return 1
    nilo settle && [[ $(nilo figure months --format ndjson) != *'"month":"2026-04"'* ]] || return 1
    nilo clock set 2026-05-09T16:00:00Z > /dev/null && nilo settle
    has "$(nilo figure months --format ndjson)" '"month":"2026-04"' '"frozen_by":"nilod"' && has "$(nilo audit list --format ndjson)" '"by rule"' || return 1
    is 1 "$(nilo figure months --format ndjson | grep -c '"month":"2026-04"')" && [[ $(nilo figure months --format ndjson) != *'"month":"2026-05"'* ]] || return 1
    exits 2 "$build/nilod" --store other --figures-close-day 29 && has "$said" 'a day that every month has'
}

the_commands_tell_what_a_figure_is_and_what_stands_behind_it() {
    exits 0 nilo figure show days-read && has "$said" '98' 'no-meter' '远传到数率' || return 1
    exits 0 nilo figure behind days-read --month 2026-03 --part numerator --format ndjson && has "$said" '"stands_in":"numerator"' '"as_of":"' || return 1
    exits 1 nilo figure close 2026-03 && has "$said" 'closed it at' || return 1
    exits 1 nilo figure close 2026-04 && has "$said" 'it is over at 2026-04-30T16:00:00Z' || return 1
    exits 0 nilo figure list --month 2026-03 --level company --format csv && has "$said" '2026-03,company,CO,'
}

# A is read by radio at each midnight, B once by hand on the 29th, which has 23 hours, C has no meter; D fell silent in January and is no meter that is read by hand.
a_small_town_is_what_a_hand_reckons() {
    nilod_stop && mv store town && nilod_start --virtual-clock 2026-04-03T08:00:00Z --tz Europe/Madrid || return 1
    printf 'org,level\nN,branch\nS,branch\n' | nilo import orgs - > /dev/null && printf 'route,org,days\nR,N,"1,29"\nR2,S,1\n' | nilo import routes - > /dev/null && printf 'serial,dn,q3\nMA,15,2.5\nMB,15,2.5\nMD,15,2.5\n' | nilo import meters - > /dev/null &&
        printf 'point,account,route\nA,1,R\nB,2,R\nC,3,R\nD,4,R2\n' | nilo import points - > /dev/null &&
        printf 'point,serial,from,start_index_l\nA,MA,2026-01-01T00:00:00+01:00,0\nB,MB,2026-01-01T00:00:00+01:00,0\nD,MD,2026-01-01T00:00:00+01:00,0\n' | nilo import fittings - > /dev/null || return 1
    { echo serial,time,index_l,source
      for n in {0..32}; do echo "MA,$(TZ=Europe/Madrid date -d "2026-03-01 +$n days" +%Y-%m-%dT00:00:00%:z),$((9000 + n * 200)),remote"; done
      echo MD,2026-01-09T00:00:00+01:00,70,remote
      echo MB,2026-03-29T09:00:00+02:00,5000,manual; } | nilo import readings - > /dev/null && nilo settle
    is 'days-read 31/31 100 by-hand=31 exchange-day=0 no-meter=31 suspended=0
disputes 0/0 null
estimated-bills 0/0 null missing=0
estimated-days 0/31 0 by-hand=31 exchange-day=0 no-meter=31 suspended=0
exchanges-on-time 0/0 null
faulty-meters 0/2 0
manual-share 1/3 33.33
orders-in-time 0/0 null cancelled=0
overdue-meters 0/0 null unverified=2
reads-on-time 3/4 75 new=0 no-meter=2 suspended=0
reads-seen 3/4 75 new=0 no-meter=2 suspended=0
rechecks-done 0/0 null
rechecks-right 0/0 null
sheets-on-time 0/2 0 no-points=0
silent-meters 0/1 0 by-hand=1 new=0 suspended=0
zero-use 0/1 0 new=0 no-meter=1 not-customer=0 suspended=0 unread=1 vacant=0' "$(nilo figure list --month 2026-03 --level branch --format ndjson | python3 -c '
import json, sys
for r in sorted((json.loads(l) for l in sys.stdin), key=lambda r: r.get("figure", "")):
    if r.get("org") == "N":
        v = "null" if r["value"] is None else "%g" % float(r["value"])
        print(" ".join([r["figure"], "%d/%d" % (r["numerator"], r["denominator"]), v] + ["%s=%d" % x for x in sorted(r["excluded"].items())]))')" &&
        has "$(nilo figure list --month 2026-03 --level branch --format csv)" '2026-03,branch,S,,days-read,Days of meters with a read by radio,远传到数率,0,31,' '2026-03,branch,S,,silent-meters,Silent meters,失联表占比,1,1,'
}

seed=${NILO_SEED:-$RANDOM}
nilod_start --virtual-clock 2026-03-01T00:00:00Z --tz Asia/Shanghai
PYTHONDONTWRITEBYTECODE=1 python3 "$source/tests/e2e/figures.py" "$seed" || { echo "again: NILO_SEED=$seed $0"; exit 1; }
hold of_two_who_close_at_once_one_does the_same_request_again_gives_the_same_answer_and_closes_nothing_more a_closing_that_is_killed_closed_nothing_or_all what_is_closed_is_the_same_after_a_restart \
    the_commands_tell_what_a_figure_is_and_what_stands_behind_it by_rule_a_month_is_closed_from_a_day_of_the_next_on \
    a_small_town_is_what_a_hand_reckons
hold_end
