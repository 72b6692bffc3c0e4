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

seed=${NILO_SEED:-$RANDOM}
nilod_start --virtual-clock 2026-03-01T00:00:00Z --tz Asia/Shanghai
PYTHONDONTWRITEBYTECODE=1 python3 "$source/tests/e2e/figures.py" "$seed" || { echo "again: NILO_SEED=$seed $0"; exit 1; }
hold of_two_who_close_at_once_one_does the_same_request_again_gives_the_same_answer_and_closes_nothing_more a_closing_that_is_killed_closed_nothing_or_all what_is_closed_is_the_same_after_a_restart \
    the_commands_tell_what_a_figure_is_and_what_stands_behind_it by_rule_a_month_is_closed_from_a_day_of_the_next_on
hold_end
