#!/usr/bin/env bash
# The worked billing client against a real nilod: killed before each of its commands in turn, it comes to the same bills as a run that nobody killed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

client=$source/deploy/examples/billing-client.sh
export PAGE_SIZE=6 PRICE_FEN=300

call() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$folder/store/admin.token")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"; }
readings() { { echo serial,time,index_l; printf '%s\n' "$@"; } | NILO_TOKEN_FILE=$folder/store/admin.token nilo import readings - > /dev/null && NILO_TOKEN_FILE=$folder/store/admin.token nilo settle; }
close() {
    call POST /v1/cycles "{\"cycle\":\"$1\",\"from\":\"$2\",\"to\":\"$3\",\"routes\":[\"R1\"]}" > /dev/null
    has "$(call POST "/v1/cycles/$(jq -rn --arg c "$1" '$c|@uri')/close" '{}')" $'\n200'
}
# bills FOLDER: all of them, in order of their numbers.
bills() { cat "$1"/cycles/*/bills/* "$1"/adjustments/bills/* | sort; }
bill() { "$client" "$1" 9>&-; }

# shellcheck disable=SC2317 # claims are called by hold
# Nine points: P1 to P8 read every week, P8 only until the middle of March, P9 never.
world() {
    local i week
    printf 'route\nR1\n' | nilo import routes -
    { echo serial,dn,q3,verified_on; for i in $(seq 9); do echo "M$i,15,2.5,2026-01-01"; done; } | nilo import meters -
    { echo point,account,route,route_seq; for i in $(seq 9); do echo "P$i,A-$i,R1,$i"; done; } | nilo import points -
    { echo point,serial,from,start_index_l; for i in $(seq 9); do echo "P$i,M$i,2026-02-01T00:00:00+08:00,0"; done; } | nilo import fittings -
    {
        echo serial,time,index_l
        for i in $(seq 8); do
            for week in $(seq $((i == 8 ? 6 : 9))); do printf 'M%d,%s,%d\n' "$i" "$(date -u -d "2026-01-31T16:00:00Z + $((7 * week)) days" +%FT%TZ)" $((week * (1000 + 100 * i))); done
        done
    } | nilo import readings -
    nilo settle
    nilo token create --role billing --name billing > billing.token
    nilo token create --role viewer --name viewer > viewer.token
}

each_point_has_one_bill() {
    close '三月 / March' 2026-03-01T00:00:00+08:00 2026-04-01T00:00:00+08:00 || return 1
    readings M8,2026-03-31T16:00:00Z,40000 M9,2026-03-31T16:00:00Z,9000 || return 1
    bill calm || return 1
    bills calm > want
    is true "$(jq -s 'length as $n | (map(.number) | unique | length) == $n and $n == 10' want)" || { cat want; return 1; }
    has "$(cat want)" '"number":"三月 / March/P1","account":"A-1","point":"P1"' '"number":"三月 / March/P8"' '"number":"adjustment/1"' || return 1
    # What was billed is what nilod says, and nilod knows that it was.
    is "$(nilo cycle list --format ndjson | jq -s 'map(.billed_m3 // 0) | add')" "$(jq -s 'map(select(.number | startswith("adjustment") | not).m3) | add' want)" || return 1
    is "$(nilo adjustment list --format ndjson | jq -s 'map(.delta_m3 // 0) | add')" "$(jq -s 'map(select(.number | startswith("adjustment")).m3) | add' want)" || return 1
    is '' "$(nilo cycle unsettled '三月 / March' --format csv | tail -n +2)"
}

the_same_again_changes_nothing() {
    bill calm && bills calm | cmp want -
}

# Each run of the client counts its commands, those of functions and subshells too, and is killed before number $1; what it started goes on alone.
killed_run() { bash -c 'set -T; trap "((++ran < '"$1"')) || kill -9 $$" DEBUG; . "$0"' "$client" "$2" 9>&- 2> /dev/null; }

a_kill_before_any_command_bills_nothing_twice() {
    local n=0
    # The runs of every other command go side by side.
    kills() {
        local n=$1 code=1
        while [[ $code != 0 && ! -e wrong ]]; do
            code=0
            killed_run "$n" "run$n" || code=$?
            bill "run$n" || { echo "      after a kill before command $n the next run fails"; touch wrong; }
            bills "run$n" | cmp -s want - || { echo "      after a kill before command $n the bills differ:"; bills "run$n" | diff want - | head -5; touch wrong; }
            rm -rf "run$n"
            n=$((n + 2))
        done
        echo "$n" > "killed$1"
    }
    kills 1 2> /dev/null &
    local odd=$!
    kills 2 2> /dev/null
    wait "$odd"
    n=$(cat killed1)
    echo "        killed before each of $((n - 1)) commands"
    [[ ! -e wrong && $n -gt 80 ]]
}

what_is_adjusted_later_is_billed_by_the_next_run() {
    readings M9,2026-02-28T16:00:00Z,2000 M8,2026-03-20T16:00:00Z,12000 || return 1
    bill calm || return 1
    bills calm > later
    is '' "$(comm -23 want later)" && has "$(comm -13 want later)" '"number":"adjustment/' '"account":"A-9"' || return 1
    is "$(nilo adjustment list --format ndjson | jq -s 'map(.delta_m3 // 0) | add')" "$(jq -s 'map(select(.number | startswith("adjustment")).m3) | add' later)"
}

whoever_may_not_settle_settles_nothing() {
    exits 22 env NILO_TOKEN_FILE="$folder/viewer.token" "$client" denied && has "$said" 403 || return 1
    [[ -z $(compgen -G 'denied/cycles/*/settled') ]]
}

nilod_start --virtual-clock 2026-04-03T12:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
NILO_TOKEN_FILE=$folder/billing.token
hold each_point_has_one_bill the_same_again_changes_nothing a_kill_before_any_command_bills_nothing_twice what_is_adjusted_later_is_billed_by_the_next_run \
    whoever_may_not_settle_settles_nothing
hold_end
