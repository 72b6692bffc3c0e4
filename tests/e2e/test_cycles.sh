#!/usr/bin/env bash
# Billing cycles over a real nilod: what is frozen, by whom, and that it stays. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# call METHOD PATH [BODY [CURL OPTION...]]: the body and the status. `token` names the file of the token, the administrator's without it.
token=''
call() {
    curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "${@:4}" "$NILO_SERVER$2"
}
# pull CYCLE [QUERY]: the lines of determinants, without the last line.
pull() { curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/cycles/$1/determinants${2:-}" | sed '$d'; }
member() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v[int(k)] if isinstance(v,list) else v[k]
print(json.dumps(v,ensure_ascii=False))' "$1"; }

# 60 points: P01 to P50 on R1 read every day, P51 to P58 on R2 read until the 20th, P59 never, P60 installed and read for six days.
world() {
    printf 'org,level\nCO,company\nNORTH,company\n' | nilo import orgs - && printf 'route,org\nR1,NORTH\nR2,CO\nR3,CO\n' | nilo import routes -
    { echo serial,dn,q3,verified_on; for i in $(seq -w 60); do echo "M$i,15,2.5,2026-01-01"; done; } | nilo import meters -
    { echo point,account,route,route_seq; for i in $(seq -w 60); do echo "P$i,A-$i,R$((10#$i > 50 ? 2 : 1)),$i"; done; } | nilo import points -
    { echo point,serial,from,start_index_l; for i in $(seq -w 59); do echo "P$i,M$i,2026-02-01T00:00:00+08:00,100"; done; echo "P60,M60,2026-03-25T00:00:00+08:00,0"; } | nilo import fittings -
    python3 - > readings.csv <<'END'
from datetime import datetime, timedelta
print('serial,time,index_l')
for i in range(1, 61):
    begin = datetime(2026, 3, 25) if i == 60 else datetime(2026, 2, 1)
    last = datetime(2026, 3, 30) if i == 60 else datetime(2026, 3, 20) if i > 50 else datetime(2026, 4, 2)
    day = 1
    while i != 59 and begin + timedelta(day) <= last:
        print('M%02d,%s+08:00,%d' % (i, (begin + timedelta(day)).isoformat(), (0 if i == 60 else 100) + day * (200 + i)))
        day += 1
END
    nilo import readings readings.csv && nilo settle
}
march='"from":"2026-03-01T00:00:00+08:00","to":"2026-04-01T00:00:00+08:00"'

opening_names_what_is_wrong_and_changes_nothing() {
    has "$(call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":["R1","R9"]}')" $'\n404' R9 || return 1
    has "$(call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":[]}')" $'\n422' '"field":"routes"' || return 1
    has "$(call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":["R1","R1"]}')" $'\n422' R1 once || return 1
    has "$(call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":"R1"}')" $'\n422' || return 1
    has "$(call POST /v1/cycles '{"cycle":"C","from":"2026-03-01T00:00:00Z","to":"2026-03-01T00:00:00Z","routes":["R1"]}')" $'\n422' '"field":"to"' || return 1
    has "$(call POST /v1/cycles '{"cycle":"C","from":"2024-03-01T00:00:00Z","to":"2026-03-01T00:00:00Z","routes":["R1"]}')" $'\n422' 400 || return 1
    has "$(call POST /v1/cycles '{"cycle":"C","from":"never","to":"2026-03-01T00:00:00Z","routes":["R1"]}')" $'\n422' '"field":"from"' || return 1
    has "$(call POST /v1/cycles '{'"$march"',"routes":["R1"]}')" $'\n422' '"field":"cycle"' || return 1
    has "$(call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":["R1"],"colour":1}')" $'\n422' colour || return 1
    token=viewer.token has "$(token=viewer.token call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":["R1"]}')" $'\n403' viewer || return 1
    has "$(token=north.token call POST /v1/cycles '{"cycle":"C",'"$march"',"routes":["R1","R2"]}')" $'\n403' R2 NORTH || return 1
    is '{"rows":[],"next":null}

200' "$(call GET /v1/cycles)" && has "$(call GET /v1/cycles/C)" $'\n404'
}

a_cycle_is_opened_once_and_a_route_is_in_one_at_a_time() {
    exits 0 nilo cycle open 2026-03 R2 R1 --from 2026-03-01T00:00:00+08:00 --to 2026-04-01T00:00:00+08:00 || return 1
    has "$(call POST /v1/cycles '{"cycle":"2026-03",'"$march"',"routes":["R1","R2"]}')" $'\n200' '"state":"open"' || return 1
    has "$(call POST /v1/cycles '{"cycle":"2026-03",'"$march"',"routes":["R1"]}')" $'\n409' 2026-03 || return 1
    has "$(call POST /v1/cycles '{"cycle":"x","from":"2026-03-31T00:00:00+08:00","to":"2026-05-01T00:00:00+08:00","routes":["R3","R2"]}')" $'\n409' 'route R2' 'cycle 2026-03' || return 1
    has "$(call POST /v1/cycles '{"cycle":"2026-03 三","from":"2026-03-01T00:00:00+08:00","to":"2026-04-01T00:00:00+08:00","routes":["R3"]}')" $'\n201' '三' || return 1
    has "$(call GET /v1/cycles/2026-03/determinants)" $'\n409' preview
}

an_open_cycle_tells_what_closing_would_freeze() {
    said=$(nilo cycle status 2026-03 --format json) || return 1
    is '60 50 8 2' "$(member points <<< "$said") $(member actual <<< "$said") $(member estimated <<< "$said") $(member missing <<< "$said")" || return 1
    is '"P59" "never-read" "P60" "first-week"' "$(for i in 0 1; do member missing_points.$i.point <<< "$said"; member missing_points.$i.why <<< "$said"; done | tr '\n' ' ' | sed 's/ $//')" || return 1
    has "$said" '没有可用的读数' || return 1
    nilo cycle preview 2026-03 --format ndjson | sed '$d' > preview && is 60 "$(wc -l < preview)" || return 1
    is 'P59 P60 ' "$(nilo cycle preview 2026-03 --quality missing --format csv | tail -n +2 | cut -d, -f2 | tr '\n' ' ')"
}

closing_freezes_what_was_known() {
    has "$(call POST /v1/cycles/2026-03/review '{"note":"seen"}')" $'\n200' '"state":"reviewed"' || return 1
    has "$(token=viewer.token call POST /v1/cycles/2026-03/close '{}')" $'\n403' && has "$(token=north.token call POST /v1/cycles/2026-03/close '{}')" $'\n403' R2 || return 1
    has "$(call POST /v1/cycles/none/close '{}')" $'\n404' || return 1
    said=$(call POST /v1/cycles/2026-03/close '{"note":"as agreed"}' -H 'Idempotency-Key: k1') || return 1
    has "$said" $'\n200' '"state":"closed"' '"points":60' '"missing":2' '"reviewed_by":"admin' || return 1
    digest=$(sed '$d' <<< "$said" | member digest) && digest=${digest//\"/}
    is "$said" "$(call POST /v1/cycles/2026-03/close '{"note":"as agreed"}' -H 'Idempotency-Key: k1')" || return 1
    has "$(call POST /v1/cycles/2026-03/close '{"note":"as agreed"}')" $'\n409' 'admin' || return 1
    has "$(call POST /v1/cycles/2026-03/review '{}')" $'\n409' || return 1
    pull 2026-03 > all && is 60 "$(wc -l < all)" && is "$digest" "$(sha256sum < all | cut -d' ' -f1)" || return 1
    cmp all preview || return 1
    has "$(sed -n 1p all)" '"cycle":"2026-03","point":"P01","account":"A-01","from":"2026-02-28T16:00:00Z","to":"2026-03-31T16:00:00Z"' '"start_index_l":5728,"end_index_l":11959,"consumption_l":6231,"billed_m3":6,"days":31,"quality":"actual","method":"read"' || return 1
    has "$(sed -n 59p all)" '"start_index_l":null' '"consumption_l":null,"billed_m3":null,"days":31,"quality":"missing","method":null' '"why":"never-read"' || return 1
    has "$(sed -n 60p all)" '"start_index_l":0,"end_index_l":null,"consumption_l":null' '"kind":"no meter"' '"why":"first-week"' || return 1
    has "$(nilo audit list --format ndjson)" '"what":"cycle.close"' "$digest" 'as agreed'
}

every_page_of_any_size_has_the_same_bytes() {
    local size next cursor
    for size in 1 7 59 1000; do
        : > pages
        cursor=''
        while :; do
            curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/cycles/2026-03/determinants?limit=$size${cursor:+&after=$cursor}" > page
            sed '$d' page >> pages
            next=$(tail -1 page | sed -nE 's/.*"next":"([^"]+)".*/\1/p')
            [[ $next ]] || break
            cursor=$next
        done
        cmp all pages || { echo "      pages of $size"; return 1; }
    done
    # The same in JSON, and the figures in CSV.
    call GET '/v1/cycles/2026-03/determinants?limit=60' | sed '$d' | python3 -c 'import json,sys
want=[json.loads(l) for l in open("all")]; sys.exit(json.load(sys.stdin)["rows"]!=want)' || return 1
    nilo cycle pull 2026-03 --format csv > csv && is 61 "$(wc -l < csv)" && has "$(sed -n 2p csv)" '2026-03,P01,A-01,2026-02-28T16:00:00Z'
}

what_the_client_has_is_not_sent_again() {
    local fields tag
    fields=$(curl -s -D - -o /dev/null -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/cycles/2026-03/determinants")
    tag=$(sed -nE 's/^[Ee][Tt]ag: (.*)\r$/\1/p' <<< "$fields") && has "$tag" "$digest" || return 1
    is '
304' "$(call GET /v1/cycles/2026-03/determinants '' -H 'Accept: application/x-ndjson' -H "If-None-Match: $tag")" || return 1
    is '
304' "$(call GET /v1/cycles/2026-03/determinants '' -H 'Accept: application/x-ndjson' -H "If-None-Match: \"x\", W/$tag")" || return 1
    has "$(call GET /v1/cycles/2026-03/determinants '' -H "If-None-Match: $tag")" $'\n200' || return 1
    has "$(call GET /v1/cycles/2026-03/determinants '' -H 'Accept: application/x-ndjson' -H 'If-None-Match: "x"')" $'\n200'
}

late_readings_and_restarts_change_nothing_frozen() {
    cursor=$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/cycles/2026-03/determinants?limit=30" | tail -1 | sed -nE 's/.*"next":"([^"]+)".*/\1/p')
    printf 'serial,time,index_l\nM51,2026-04-01T00:00:00+08:00,20000\nM01,2026-04-01T00:00:00+08:00,11950\n' | nilo import readings - > /dev/null && nilo settle || return 1
    pull 2026-03 > again && cmp all again || return 1
    nilod_stop && nilod_start --virtual-clock 2026-04-02T12:00:00+08:00 || return 1
    pull 2026-03 > again && cmp all again || return 1
    pull 2026-03 "?after=$cursor" > again && sed -n '31,$p' all | cmp - again || return 1
    kill -9 "$nilod" && { wait "$nilod"; nilod_start --virtual-clock 2026-04-02T12:00:00+08:00; } || return 1
    pull 2026-03 > again && cmp all again && has "$(nilo cycle status 2026-03 --format json)" "$digest"
}

of_two_who_close_at_once_one_wins() {
    local i closing=()
    call POST /v1/cycles '{"cycle":"2026-02","from":"2026-02-01T00:00:00+08:00","to":"2026-03-01T00:00:00+08:00","routes":["R1","R2"]}' > /dev/null
    for i in 1 2 3 4; do call POST /v1/cycles/2026-02/close '{}' | tail -1 > "answer$i" & closing+=($!); done
    wait "${closing[@]}"
    is '200 409 409 409 ' "$(sort answer[1-4] | tr '\n' ' ')"
}

three_estimates_in_a_row_are_prolonged() {
    nilo clock set 2026-06-02T00:00:00+08:00 > /dev/null || return 1
    call POST /v1/cycles '{"cycle":"2026-04","from":"2026-04-01T00:00:00+08:00","to":"2026-05-01T00:00:00+08:00","routes":["R1","R2"]}' > /dev/null
    call POST /v1/cycles '{"cycle":"2026-05","from":"2026-05-01T00:00:00+08:00","to":"2026-06-01T00:00:00+08:00","routes":["R1","R2"]}' > /dev/null
    has "$(call POST /v1/cycles/2026-04/close '{}')" $'\n200' && has "$(call POST /v1/cycles/2026-05/close '{}')" $'\n200' || return 1
    # P52 was estimated in March, April and May; P59 was missing in February, too; P01 was read in March.
    is '[] [] ["prolonged"]' "$(for m in 03 04 05; do pull 2026-$m | sed -n 52p | member checks; done | tr '\n' ' ' | sed 's/ $//')" || return 1
    is '[] ["prolonged"] ["prolonged"]' "$(for m in 03 04 05; do pull 2026-$m | sed -n 59p | member checks; done | tr '\n' ' ' | sed 's/ $//')" || return 1
    is '[] []' "$(for m in 04 05; do pull 2026-$m | sed -n 1p | member checks; done | tr '\n' ' ' | sed 's/ $//')"
}

a_point_that_changed_its_route_is_frozen_once() {
    call POST /v1/points '{"point":"P02","account":"A-02","route":"R3","route_seq":2}' > /dev/null
    said=$(call POST '/v1/cycles/2026-03%20%E4%B8%89/close' '{}')
    has "$said" $'\n200' '"points":0' '"elsewhere":1'
}

a_closing_that_is_cut_off_closes_nothing() {
    local i closer states=''
    printf 'route\nR4\n' | nilo import routes - > /dev/null
    { echo point,route; for i in $(seq 20000); do echo "Q$i,R4"; done; } | nilo import points - > /dev/null || return 1
    call POST /v1/cycles '{"cycle":"big",'"$march"',"routes":["R4"]}' > /dev/null
    for i in 1 2 3 4 5 6; do
        call POST /v1/cycles/big/close '{}' > /dev/null &
        closer=$!
        read -r -t "0.$((RANDOM % 4))$((RANDOM % 10))" <> <(:) # anywhere in it
        kill -9 "$nilod" && { wait "$nilod"; wait "$closer"; nilod_start --virtual-clock 2026-06-02T01:00:00+08:00; } 2> /dev/null || return 1
        states+=$(nilo cycle list --format csv | sed -nE 's/^big,([a-z]+),.*/\1/p')' '
        case $states in
        *'open ') has "$(call GET /v1/cycles/big/determinants)" $'\n409' || return 1 ;;
        *'closed ') break ;;
        *) return 1 ;;
        esac
    done
    echo "        after kills: $states"
    [[ $states == *closed* ]] || has "$(call POST /v1/cycles/big/close '{}')" $'\n200' '"points":20000' || return 1
    is "$(nilo cycle status big --format json | member digest)" "\"$(pull big | sha256sum | cut -d' ' -f1)\"" && is 20000 "$(pull big | wc -l)"
}

what_was_pulled_is_settled_once() {
    # The cycle of May was pulled above, by the administrator; that of three was not.
    billing() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Content-Type: application/json' -d "$2" "$NILO_SERVER/v1/cycles/$1/settled"; }
    unsettled() { nilo cycle unsettled "$1" --format ndjson | sed '$d' | wc -l; }
    call POST /v1/cycles '{"cycle":"2026-06","from":"2026-06-01T00:00:00+08:00","to":"2026-06-02T00:00:00+08:00","routes":["R1","R2"]}' > /dev/null
    has "$(billing 2026-06 '{"all":true,"document":"D1"}')" $'\n409' open && has "$(call POST /v1/cycles/2026-06/close '{}')" $'\n200' || return 1
    is 0 "$(unsettled 2026-06)" && has "$(billing 2026-06 '{"all":true,"document":"D1"}')" $'\n409' pulled || return 1
    # A viewer bills nothing, and neither does a head.
    curl -s -H "Authorization: Bearer $(cat viewer.token)" "$NILO_SERVER/v1/cycles/2026-06/determinants" > /dev/null && is 0 "$(unsettled 2026-06)" || return 1
    cursor=$(call GET '/v1/cycles/2026-06/determinants?limit=10' | sed '$d' | member next) && is 10 "$(unsettled 2026-06)" || return 1
    cursor=${cursor//\"/}
    has "$(token=viewer.token call POST /v1/cycles/2026-06/settled '{"all":true,"document":"D1"}')" $'\n403' || return 1
    has "$(billing 2026-06 '{"all":true}')" $'\n422' document && has "$(billing 2026-06 '{"document":"D1"}')" $'\n422' cursor && has "$(billing 2026-06 '{"document":"D1","points":[]}')" $'\n422' || return 1
    has "$(billing 2026-06 '{"cursor":"zz","document":"D1"}')" $'\n422' || return 1
    has "$(billing 2026-06 '{"points":["P03","P07"],"document":"D1"}')" $'\n200' '"points":2' && is 8 "$(unsettled 2026-06)" || return 1
    has "$(billing 2026-06 '{"points":["P03"],"document":"D1"}')" $'\n200' '"points":0' || return 1
    has "$(billing 2026-06 '{"points":["P04","P03"],"document":"D2"}')" $'\n409' P03 D1 && is 8 "$(unsettled 2026-06)" || return 1
    has "$(billing 2026-06 '{"points":["NONE"],"document":"D2"}')" $'\n404' NONE || return 1
    has "$(billing 2026-06 "{\"cursor\":\"$cursor\",\"document\":\"D3\"}")" $'\n200' '"settled_before":null' '"settled_to":"P11"' '"points":null' && is 0 "$(unsettled 2026-06)" || return 1
    has "$(billing 2026-06 "{\"cursor\":\"$cursor\",\"document\":\"D3\"}")" $'\n200' && has "$(billing 2026-06 "{\"cursor\":\"$cursor\",\"document\":\"D4\"}")" $'\n409' D3 || return 1
    pull 2026-06 > /dev/null && is 49 "$(unsettled 2026-06)" || return 1
    nilod_stop && nilod_start --virtual-clock 2026-06-02T02:00:00+08:00 && is 49 "$(unsettled 2026-06)" || return 1
    has "$(nilo cycle settled 2026-06 --document D5 --format json)" '"settled_before":"P11"' '"settled_to":"P60"' && is 0 "$(unsettled 2026-06)" || return 1
    has "$(nilo audit list --format ndjson)" '"what":"cycle.pulled"' '"what":"cycle.settled"'
}

units_see_their_own() {
    said=$(token=north.token call GET '/v1/cycles/2026-03/determinants?limit=1000')
    has "$said" '"point":"P01"' '"point":"P50"' && [[ $said != *P51* ]] || return 1
    has "$(token=north.token call GET /v1/cycles)" '"cycle":"2026-03"' && [[ $(token=north.token call GET /v1/cycles) != *三* ]] || return 1
    has "$(token=north.token call GET '/v1/cycles/2026-03%20%E4%B8%89')" $'\n403' NORTH
}

the_store_is_whole() {
    exits 0 nilo store check --store store && exits 0 nilo audit verify
}

nilod_start --virtual-clock 2026-04-02T12:00:00+08:00
nilo token create --role viewer --name viewer > viewer.token
world > /dev/null || { echo "the world could not be made"; exit 1; }
nilo token create --role billing --name north --org NORTH > north.token
hold opening_names_what_is_wrong_and_changes_nothing a_cycle_is_opened_once_and_a_route_is_in_one_at_a_time an_open_cycle_tells_what_closing_would_freeze \
    closing_freezes_what_was_known every_page_of_any_size_has_the_same_bytes what_the_client_has_is_not_sent_again late_readings_and_restarts_change_nothing_frozen \
    of_two_who_close_at_once_one_wins three_estimates_in_a_row_are_prolonged a_point_that_changed_its_route_is_frozen_once a_closing_that_is_cut_off_closes_nothing what_was_pulled_is_settled_once units_see_their_own the_store_is_whole
hold_end
