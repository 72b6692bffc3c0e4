#!/usr/bin/env bash
# Webhooks, from a real nilod to a receiver that fails, is slow, is killed, and comes back. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

secret=s3cret-of-the-receiver-0123456789
printf '%s\n' "$secret" > secret
mkdir taken
: > taken/log

# receiver [PORT]: starts one; what it takes can be read from descriptor 5, a line each.
receiver() {
    rm -f taken/lines taken/port
    mkfifo taken/lines
    python3 "$source/tests/e2e/hook_receiver.py" "$source/deploy/examples/hook-receiver.py" secret "$folder/taken/port" "$folder/taken/log" "${1:-0}" > taken/lines 2>> receiver.log 9>&- &
    receiver=$!
    exec 5< taken/lines
    took ready || { cat receiver.log; return 1; }
    port=$(< taken/port)
}
receiver_killed() { kill -9 "$receiver"; wait "$receiver" 2> /dev/null; receiver=''; }
trap '[[ $receiver ]] && kill -9 "$receiver" && wait "$receiver" 2> /dev/null; nilod_end' EXIT
receiver=''

# took PATTERN: reads what the receiver takes up to a line that has it; every line goes to taken/seen.
took() {
    while read -r -t 60 line <&5; do
        echo "$line" >> taken/seen
        [[ $line == *forged* ]] && { echo "      forged: $line"; return 1; }
        [[ $line == *$1* ]] && return 0
    done
    echo "      the receiver never took $1"
    return 1
}
call() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"; }
shown() { nilo hook show "$1" --format json | jq -r "$2"; }
# until_shown NAME FILTER VALUE: asks again and again, as long as a patient person would.
until_shown() {
    local deadline=$((SECONDS + 60)) found=''
    while ((SECONDS < deadline)); do
        found=$(shown "$1" "$2")
        [[ $found == "$3" ]] && return 0
    done
    is "$3" "$found"
}
# What the audit says was done to orders, as ids of events.
orders_of_audit() { nilo audit list --format json 2> /dev/null | jq -r '.rows[] | select(.what | startswith("orders.")) | .number' | sort -n | uniq; }
# Something happens to the order at P1, or at P2.
order() { turns=$((turns + 1)) && nilo order change "${1:-W00000001}" --note "turn $turns" > /dev/null; }
turns=0

# shellcheck disable=SC2317 # claims are called by hold
world() {
    printf 'org,parent,level\nCO,,company\nNORTH,CO,branch\nSOUTH,CO,branch\n' | nilo import orgs -
    printf 'route,org\nRN,NORTH\nRS,SOUTH\n' | nilo import routes -
    printf 'point,account,route,route_seq\nP1,A-1,RN,1\nP2,A-2,RS,2\n' | nilo import points -
    printf 'serial,dn,q3,verified_on,state\nM1,15,2.5,2026-01-01,\nM2,15,2.5,2026-01-01,\nM3,15,2.5,2032-02-01,issued\nM4,15,2.5,2032-02-01,issued\n' | nilo import meters -
    printf 'point,serial,from,start_index_l\nP1,M1,2026-02-01T00:00:00+08:00,0\nP2,M2,2026-02-01T00:00:00+08:00,0\n' | nilo import fittings -
    {
        echo serial,time,index_l
        for day in $(seq 0 35); do
            for m in 1 2; do printf 'M%d,%s,%d\n' $m "$(date -u -d "2026-01-31T16:00:00Z + $day days" +%FT%TZ)" $((day * 200 * m)); done
        done
    } | nilo import readings -
    nilo settle
    printf 'x\n' > short
}

each_kind_is_told_as_the_api_shows_it() {
    exits 0 nilo hook add all --url "http://127.0.0.1:$port/ok" --kinds flag,exchange,cycle.closed,adjustment,order,notice,edit --secret-file secret && has "$said" all || return 1
    exits 0 nilo hook test all && took 'test' || return 1
    nilo order create inspect --point P1 > /dev/null && took 'order add' && nilo order create inspect --point P2 > /dev/null && took 'order add' || return 1
    is "$(nilo order show W00000002 --format json | jq -S 'del(.age_s, .history)')" "$(tail -n 1 taken/log | jq -S '.data | del(.age_s, .history)')" || return 1
    # The law: a flag is raised when the verification ends, and clears with a new one.
    exits 0 nilo clock set 2032-03-01T00:00:00Z && exits 0 nilo settle && took 'flag raised' || return 1
    is overdue "$(tail -n 1 taken/log | jq -r .data.kind)" && is "$(nilo flag list --format json | jq -S '.rows[] | select(.kind == "overdue" and .serial == "M1")')" "$(jq -S 'select(.kind == "flag" and .data.serial == "M1") | .data' < taken/log | tail -n 100)" || return 1
    exits 0 nilo meter exchange P1 --old M1 --old-index 90000 --new M3 --new-index 7 --reason periodic --crew c1 --note '"point":"P9"' && took 'exchange done' || return 1
    is '{"point":"P1","at":"2032-03-01T00:00:00Z","old_serial":"M1","old_index_l":90000,"new_serial":"M3","new_index_l":7,"reason":"periodic","crew":"c1"}' \
        "$(jq -c 'select(.kind == "exchange") | .data' < taken/log)" || return 1
    exits 0 nilo settle && took 'flag cleared' || return 1
    is cleared "$(jq -r 'select(.kind == "flag" and .change == "cleared") | .data.state' < taken/log)" || return 1
    exits 0 nilo flag dismiss "$(nilo flag list --format json | jq -r '.rows[] | select(.serial == "M2" and .kind == "overdue").id')" --note no && took 'flag dismissed' || return 1
    has "$(call POST /v1/cycles '{"cycle":"三月","from":"2026-02-03T00:00:00+08:00","to":"2026-03-03T00:00:00+08:00","routes":["RN","RS"]}')" $'\n201' || return 1
    has "$(call POST "/v1/cycles/%E4%B8%89%E6%9C%88/close" '{}')" $'\n200' && took 'cycle.closed closed' || return 1
    is "$(nilo cycle status 三月 --format json | jq -S .)" "$(tail -n 1 taken/log | jq -S .data)" || return 1
    printf 'serial,time,index_l,source\nM2,2026-03-02T16:00:00Z,11900,manual\n' | nilo import readings - > /dev/null && exits 0 nilo settle && took 'adjustment made' || return 1
    is "$(nilo adjustment list --format json | jq -S '.rows[0]')" "$(tail -n 1 taken/log | jq -S .data)" || return 1
    exits 0 nilo edit create P2 --at 2026-02-20T12:00:00+08:00 --index 7790 --reason seen && took 'edit asked' || return 1
    is "$(call GET /v1/edits/1 | sed '$d' | jq -S .)" "$(tail -n 1 taken/log | jq -S .data)" || return 1
    until_shown all .backlog 0 && is 0 "$(shown all .dead)" && is 204 "$(shown all .last_status)"
}

events_go_in_order_and_none_is_missing() {
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/flaky" || return 1
    : > taken/seen
    while ((turns < 15)); do order || return 1; done
    took "$(orders_of_audit | tail -n 1)-1 order" || return 1
    is "$(orders_of_audit | tail -n 15)" "$(awk '$2 == "order" { sub(/-.*/, "", $1); print $1 }' taken/seen | uniq)" || return 1
    has "$(curl -s "$NILO_SERVER/metrics")" 'nilo_hook_events_total{outcome="failed"}' 'nilo_hooks 1'
}

a_kill_of_either_side_loses_nothing_and_skips_nothing() {
    local was=$port
    : > taken/seen
    order && order && order || return 1
    kill -9 "$nilod" && wait "$nilod" 2> /dev/null
    receiver_killed
    nilod_start --virtual-clock 2032-03-01T00:00:00Z
    order && order && order || return 1
    receiver "$was" || return 1
    order && order && order || return 1
    took "$(orders_of_audit | tail -n 1)-1 order" || return 1
    is "$(orders_of_audit)" "$(jq -r 'select(.kind == "order").id | split("-")[0]' taken/log | sort -n | uniq)" || return 1
    # A restart in peace repeats nothing.
    until_shown all .backlog 0 || return 1
    nilod_stop || return 1
    nilod_start --virtual-clock 2032-03-01T00:00:00Z --hook-give-up 3
    : > taken/seen
    order && took "$(orders_of_audit | tail -n 1)-1 order" && is 1 "$(grep -c order taken/seen)"
}

a_redirect_is_not_followed_and_a_long_answer_not_read() {
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/flood" && exits 0 nilo hook test all && took 'test' && until_shown all .last_status 200 || return 1
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/slow" && exits 0 nilo hook test all && took 'test' && until_shown all .last_status 200 || return 1
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/redirect" && : > taken/seen && exits 0 nilo hook test all && until_shown all .last_status 302 || return 1
    is '' "$(cat taken/seen)" && has "$(shown all .last_why)" redirect && [[ $(shown all .failing_since) != null ]]
}

what_cannot_be_delivered_steps_aside_and_can_be_tried_again() {
    local id
    until_shown all .dead 1 || return 1
    id=$(nilo hook dead all --format json | jq -r '.rows[0].id')
    has "$(nilo hook dead all --format csv)" "$id,test," ,302, || return 1
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/ok" && exits 0 nilo hook test all && took 'test' && until_shown all .failing_since null || return 1
    : > taken/seen
    exits 0 nilo hook retry all "$id" && took "$id test" && until_shown all .dead 0 || return 1
    exits 1 nilo hook retry all "$id" && exits 1 nilo hook retry all nonsense && has "$said" nonsense || return 1
    # One that is refused again stays dead, and holds up nobody.
    : > taken/refuse
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/refuse" && exits 0 nilo hook test all && until_shown all .dead 1 || return 1
    id=$(nilo hook dead all --format json | jq -r '.rows[0].id')
    exits 0 nilo hook retry all "$id" || return 1
    until_dead_attempts "$id" || return 1
    rm taken/refuse
    exits 0 nilo hook change all --url "http://127.0.0.1:$port/ok" && exits 0 nilo hook test all && took 'test' && is 1 "$(shown all .dead)" || return 1
    has "$(nilo audit list --format csv)" hook.dead hook.retry hook.revived hook.test
}
until_dead_attempts() {
    local deadline=$((SECONDS + 60)) before
    before=$(nilo hook dead all --format json | jq -c '.rows[0] | [.again, .attempts > 2]')
    while ((SECONDS < deadline)) && [[ $before != '[false,true]' ]]; do
        before=$(nilo hook dead all --format json | jq -c '.rows[0] | [.again, .attempts > 2]')
    done
    is '[false,true]' "$before"
}

a_units_hook_hears_its_own_points_alone() {
    exits 0 nilo hook add north --url "http://127.0.0.1:$port/ok" --kinds order,exchange,adjustment --org NORTH --secret-file secret || return 1
    exits 0 nilo hook remove all --note 'test is over' && exits 1 nilo hook show all || return 1
    : > taken/seen
    order W00000002 && order W00000001 && exits 0 nilo meter exchange P2 --old M2 --old-index 90000 --new M4 --new-index 0 --reason broken && exits 0 nilo hook test north && took 'test' || return 1
    is 'order change' "$(cut -d' ' -f2,3 taken/seen | grep -v test)" && is P1 "$(tail -n 2 taken/log | jq -r 'select(.kind == "order").data.point')" || return 1
    nilo token create --role supervisor --name south --org SOUTH > south.token
    nilo token create --role viewer --name eve > eve.token
    has "$(token=south.token call GET /v1/hooks/north)" $'\n403' && has "$(token=south.token call GET /v1/hooks)" '"rows":[]' && has "$(token=south.token call POST /v1/hooks/north/remove '{}')" $'\n403' || return 1
    has "$(token=south.token call POST /v1/hooks '{"name":"s","url":"http://h/","kinds":["order"],"secret":"0123456789abcdef"}')" $'\n403' org || return 1
    has "$(token=south.token call POST /v1/hooks '{"name":"north","org":"SOUTH","url":"http://h/"}')" $'\n403' || return 1
    has "$(token=eve.token call GET /v1/hooks)" $'\n403' && has "$(token=eve.token call POST /v1/hooks/north/test '{}')" $'\n403'
}

one_that_pauses_gets_later_what_happened_meanwhile() {
    : > taken/seen
    exits 0 nilo hook change north --pause && order && order || return 1
    exits 1 nilo hook test north && has "$said" 'not enabled' && is 2 "$(shown north .backlog)" && is '' "$(cat taken/seen)" || return 1
    exits 0 nilo hook change north --resume && took "$(orders_of_audit | tail -n 1)-1 order" && is 2 "$(grep -c order taken/seen)" || return 1
    # A new one begins at now, or where it is told to.
    : > taken/seen
    exits 0 nilo hook add again --url "http://127.0.0.1:$port/ok" --kinds exchange --secret-file secret --since 2032-01-01T00:00:00Z && took exchange && took exchange
}

wrong_hooks_are_refused_and_change_nothing() {
    local url before
    before=$(nilo hook list --format csv)
    for url in file:///etc/passwd gopher://127.0.0.1:70/x ftp://h/ h.example/x '//h/x' 'http:///x' 'http://u:p@h/' 'http://u@h/' 'http://h/#f' $'http://h/\r\nX: y' 'http://h/a b' 'http://' '' 'javascript:x' 'http://h:99999/' 'http://ｈ/' \
        'http:\\h' "http://h/$(printf 'a%.0s' $(seq 8192))"; do
        has "$(call POST /v1/hooks "$(jq -nc --arg u "$url" '{name: "bad", url: $u, kinds: ["flag"], secret: "0123456789abcdef"}')")" '"field":"url"' $'\n422' || { echo "      ${url:0:80}"; return 1; }
    done
    has "$(call POST /v1/hooks '{"name":"bad","url":"http://h/","kinds":["flag"],"secret":"short"}')" '"field":"secret"' $'\n422' || return 1
    has "$(call POST /v1/hooks '{"name":"bad","url":"http://h/","kinds":["flag"]}')" '"field":"secret"' $'\n422' || return 1
    has "$(call POST /v1/hooks '{"name":"bad","url":"http://h/","kinds":["paint"],"secret":"0123456789abcdef"}')" '"field":"kinds"' paint $'\n422' || return 1
    has "$(call POST /v1/hooks '{"name":"bad","url":"http://h/","kinds":[],"secret":"0123456789abcdef"}')" '"field":"kinds"' $'\n422' || return 1
    has "$(call POST /v1/hooks '{"name":"b/d","url":"http://h/","kinds":["flag"],"secret":"0123456789abcdef"}')" '"field":"name"' $'\n422' || return 1
    has "$(call POST /v1/hooks '{"name":"bad","url":"http://h/","kinds":["flag"],"secret":"0123456789abcdef","org":"NOWHERE"}')" '"field":"org"' $'\n404' || return 1
    has "$(call POST /v1/hooks '{"name":"bad","url":"http://h/","kinds":["flag"],"secret":"0123456789abcdef","sekret":1}')" sekret $'\n422' || return 1
    has "$(call POST /v1/hooks '{"name":"north","since":"2026-01-01T00:00:00Z"}')" '"field":"since"' $'\n422' || return 1
    has "$(call POST /v1/hooks/none/test '{}')" $'\n404' && has "$(call GET /v1/hooks/none/dead)" $'\n404' || return 1
    exits 2 nilo hook add bad --url http://h/ --kinds flag --secret-file nowhere || return 1
    is "$(cut -d, -f1-5 <<< "$before")" "$(nilo hook list --format csv | cut -d, -f1-5)"
}

a_secret_is_told_to_nobody() {
    local copy
    is true "$(shown north '.fingerprint | length == 8')" && is "$(shown north .fingerprint)" "$(shown again .fingerprint)" || return 1
    for copy in /v1/hooks /v1/hooks/north '/v1/audit' /metrics; do
        [[ $(call GET "$copy") != *"$secret"* ]] || { echo "      $copy tells it"; return 1; }
    done
    nilod_stop || return 1
    exits 0 nilo store backup --store store --to copy && exits 0 nilo store check --store store || return 1
    is '' "$(grep -rlF "$secret" store copy nilod.log taken/log)" || return 1
    nilod_start --virtual-clock 2032-03-01T00:00:00Z
    : > taken/seen
    exits 0 nilo hook test north && took 'test'
}

# ---- running ----

receiver || exit 1
nilod_start --virtual-clock 2026-03-10T09:00:00+08:00
world > world.log 2>&1 || { cat world.log; exit 1; }
hold each_kind_is_told_as_the_api_shows_it events_go_in_order_and_none_is_missing a_kill_of_either_side_loses_nothing_and_skips_nothing a_redirect_is_not_followed_and_a_long_answer_not_read \
    what_cannot_be_delivered_steps_aside_and_can_be_tried_again a_units_hook_hears_its_own_points_alone one_that_pauses_gets_later_what_happened_meanwhile wrong_hooks_are_refused_and_change_nothing a_secret_is_told_to_nobody
hold_end
