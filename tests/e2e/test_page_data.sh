#!/usr/bin/env bash
# What a page asks of a real nilod besides lists: series thinned for charts, what happens as it happens, frames as they came in. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

auth() { printf 'Authorization: Bearer %s' "$(cat "${1:-$NILO_TOKEN_FILE}")"; }
ask() { curl -s -w '\n%{http_code}' -H "$(auth)" "${@:2}" "$NILO_SERVER$1"; }
json() { curl -sf -H "$(auth)" "$NILO_SERVER$1"; }
hasnt() { local all=$1 word; for word in "${@:2}"; do [[ $all != *"$word"* ]] || { echo "      found:    …$word…"; return 1; }; done; }
# wait_for FILE TEXT: until the text stands in the file, 20 s at most.
wait_for() {
    local n
    for ((n = 0; n < 200; n++)); do
        grep -q -- "$2" "$1" && return 0
        read -r -t 0.1 <> <(:) || true
    done
    printf '      waited for: %s\n      found:      %s\n' "$2" "$(tail -c 600 "$1")"
    return 1
}

# listeners N: until so many listen, 20 s at most.
listeners() {
    local n
    for ((n = 0; n < 200; n++)); do
        curl -s "$NILO_SERVER/metrics" | grep -qx "nilo_live_listeners $1" && return 0
        read -r -t 0.1 <> <(:) || true
    done
    curl -s "$NILO_SERVER/metrics" | grep nilo_live
    return 1
}

# Two routes of two units; M1 tells every hour of a year, with a day that is missing and a value that no register shows; M2 is the other unit's.
world() {
    printf 'org,parent,level\nN,,team\nS,,team\n' | nilo import orgs - || return 1
    printf 'route,org\nR1,N\nR2,S\n' | nilo import routes - && printf 'serial,dn,q3\nM1,15,2.5\nM2,15,2.5\n' | nilo import meters - || return 1
    printf 'point,account,route,address\nP1,A-1,R1,1 Mill Lane\nP2,A-2,R2,2 Mill Lane\n' | nilo import points - || return 1
    printf 'point,serial,from,start_index_l\nP1,M1,2025-03-01T00:00:00+08:00,0\nP2,M2,2025-03-01T00:00:00+08:00,0\n' | nilo import fittings - || return 1
    python3 - > year.csv <<'END_OF_PYTHON'
from datetime import datetime, timedelta, timezone
print('serial,time,index_l')
begin = datetime(2025, 3, 1, tzinfo=timezone(timedelta(hours=8)))
index = 0
for hour in range(1, 365 * 24 + 1):
    index += 400 if hour % (24 * 30) == 100 else hour % 24
    at = begin + timedelta(hours=hour)
    if 2000 <= hour < 2024:
        continue
    print(f'M1,{at.isoformat()},{90000000 if hour == 3000 else index}')
END_OF_PYTHON
    nilo import readings year.csv && nilo settle
}

a_year_of_hours_is_at_most_so_many_points_and_loses_no_litre() {
    local all last
    all=$(json '/v1/meters/M1/series?from=2025-03-01T00:00:00%2B08:00&to=2026-03-01T00:00:00%2B08:00&points=1000') || return 1
    is '12 true 43200' "$(jq -r '"\(12) \((.t | length) <= 1000 and (.t | length) > 700) \(.width_s)"' <<< "$all")" || return 1
    is true "$(jq '[.t, .count, .first_l, .min_l, .max_l, .last_l, .use_l, .flow_min_lph, .flow_max_lph, .suspects] | map(length) | unique | length == 1' <<< "$all")" || return 1
    # What buckets and gaps say was used is what the register moved.
    last=$(nilo reading list M1 --from 2026-02-28T23:00:00+08:00 --to 2026-03-01T00:00:00+08:00 --format ndjson | jq -r 'select(.index_l) | .index_l')
    is true "$(jq --argjson last "$last" '((([.use_l[] | select(.)] | add) + ([.gaps.use_l[]] | add)) - .moved_l | fabs) < 0.001 and (.moved_l - $last) < 24 and (.moved_l - $last) >= 0' <<< "$all")" || return 1
    is 1 "$(jq '.gaps.from | length' <<< "$all")" && is true "$(jq '.gaps.to[0] - .gaps.from[0] == 25 * 3600' <<< "$all")" || return 1
    # A part is read without the rest, and parts add up to the whole.
    is "$(jq .moved_l <<< "$all")" "$(for month in 2025-{03..12} 2026-{01..02}; do
        json "/v1/meters/M1/series?from=${month}-01T00:00:00%2B08:00&to=$(date -u -d "$month-01 + 1 month" +%Y-%m-%d)T00:00:00%2B08:00" | jq .moved_l
    done | jq -s add)" || return 1
    # The one hour of 400 litres shows in a bucket of twelve.
    is 400 "$(jq '[.flow_max_lph[] | select(.)] | max' <<< "$all")" || return 1
    is '[90000000] ["ceiling"]' "$(jq -c '.suspect.index_l, .suspect.rule' <<< "$all" | paste -sd' ')"
}

from_years_to_hours() {
    is '3600 24' "$(json '/v1/meters/M1/series?from=2025-07-01T00:00:00%2B08:00&to=2025-07-02T00:00:00%2B08:00' | jq -r '"\(.width_s) \(.t | length)"')" || return 1
    is '3600 3600 [0,1,2,3]' "$(json '/v1/meters/M1/series?from=2025-07-01T00:00:00%2B08:00&to=2025-07-02T00:00:00%2B08:00' | jq -c '"\(.step_s) \(.t[1] - .t[0]) \(.use_l | sort | .[:4])"' | tr -d '"')" || return 1
    is '86400' "$(json '/v1/meters/M1/series?points=400&to=2026-03-01T00:00:00%2B08:00' | jq .width_s)" || return 1
    is '[] 0' "$(json '/v1/meters/M2/series' | jq -c '.t, .moved_l' | paste -sd' ')" || return 1
    has "$(ask '/v1/meters/M1/series?points=5')" $'\n422' points && has "$(ask '/v1/meters/M1/series?channel=sideways')" $'\n422' channel && has "$(ask '/v1/meters/M9/series')" $'\n404'
}

# ---- what happens ----

listen() { # NAME TOKEN-FILE [CURL-OPTION...]: as a file NAME.sse; its process in $listener
    : > "$1.sse"
    curl -sN -m 60 -H "$(auth "$2")" "${@:3}" "$NILO_SERVER/v1/live" > "$1.sse" &
    listener=$!
    wait_for "$1.sse" '^event: \(begin\|missed\)'
}

a_page_is_told_what_happens_and_no_other_unit_is() {
    local whole north
    nilo token create --role supervisor --name north --org N > north.token || return 1
    listen whole "$NILO_TOKEN_FILE" && whole=$listener && listen north north.token && north=$listener || return 1
    curl -sf -o /dev/null -H "$(auth)" -d '{"point":"P2","account":"A-22","route":"R2"}' "$NILO_SERVER/v1/points" || return 1
    curl -sf -o /dev/null -H "$(auth)" -d '{"point":"P1","account":"A-11","route":"R1"}' "$NILO_SERVER/v1/points" || return 1
    wait_for whole.sse '/v1/points/P2' && wait_for whole.sse '/v1/points/P1' && wait_for north.sse '/v1/points/P1' || return 1
    hasnt "$(cat north.sse)" P2 && has "$(cat whole.sse)" 'event: point' '"change":"change"' || return 1
    # Reports show as a rate.
    printf 'serial,time,index_l\nM2,2026-03-01T06:00:00+08:00,1000\nM2,2026-03-02T06:00:00+08:00,1300\nM2,2026-03-03T06:00:00+08:00,1500.5\n' > m2.csv
    nilo sim replay m2.csv --coap "$coap" > /dev/null && wait_for whole.sse '"records":[1-9]' && wait_for north.sse 'event: arrivals' || return 1
    kill "$whole" "$north"; wait "$whole" "$north" 2>/dev/null
    return 0
}

who_comes_again_is_told_what_it_missed() {
    local id
    id=$(sed -n 's/^id: //p' whole.sse | tail -1)
    curl -sf -o /dev/null -H "$(auth)" -d '{"point":"P1","account":"A-111","route":"R1"}' "$NILO_SERVER/v1/points" || return 1
    listen again "$NILO_TOKEN_FILE" -H "Last-Event-ID: $id" && wait_for again.sse '/v1/points/P1' && hasnt "$(cat again.sse)" missed P2 || return 1
    kill "$listener"; wait "$listener" 2>/dev/null
    # Over a restart, too.
    nilod_stop && nilod_start || return 1
    listen later "$NILO_TOKEN_FILE" -H "Last-Event-ID: $id" && wait_for later.sse '/v1/points/P1' && hasnt "$(cat later.sse)" missed || return 1
    kill "$listener"; wait "$listener" 2>/dev/null
    # What nobody ever told is nothing to go on from.
    listen lost "$NILO_TOKEN_FILE" -H 'Last-Event-ID: 99999999-1' && has "$(cat lost.sse)" 'event: missed' || return 1
    kill "$listener"; wait "$listener" 2>/dev/null
    return 0
}

who_signs_out_hears_no_more() {
    nilo user create anna --role supervisor <<< 'correct horse' > /dev/null || return 1
    curl -s -c jar -H 'Content-Type: application/json' -d '{"name":"anna","password":"correct horse"}' "$NILO_SERVER/v1/session" > session.json
    : > anna.sse
    curl -sN -m 60 -b jar "$NILO_SERVER/v1/live" > anna.sse &
    listener=$!
    wait_for anna.sse 'event: begin' || return 1
    curl -s -o /dev/null -b jar -H "X-CSRF-Token: $(jq -r .csrf session.json)" -X POST "$NILO_SERVER/v1/session/end"
    wait "$listener" || { echo "      curl ended with $?"; return 1; }
    has "$(cat anna.sse)" 'event: end' 'signed out'
}

who_does_not_read_misses_some_and_holds_up_nobody() {
    local heard
    heard=$(python3 "$source/tests/e2e/slow_reader.py" "$NILO_SERVER" "$NILO_TOKEN_FILE") || return 1
    is 'true 0' "$(jq -r '"\(.fast == .told) \(.fast_missed)"' <<< "$heard")" || return 1
    # What waited was bounded: it has the first that were told, knows that it missed the rest, and hears what comes then.
    is 'true 1' "$(jq -r '"\(.slow < .told / 2) \(.slow_missed)"' <<< "$heard")" || { echo "      $heard"; return 1; }
}

too_many_are_refused_and_a_stop_ends_all() {
    local n pids=()
    listeners 0 || return 1 # who hung up is known to be gone
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        listen "many$n" "$NILO_TOKEN_FILE" || return 1
        pids+=("$listener")
    done
    has "$(ask /v1/live -m 5)" $'\n429' 'close a page' || return 1
    listeners 12 || return 1
    nilod_stop || return 1
    for n in "${pids[@]}"; do wait "$n" || { echo "      curl ended with $?"; return 1; }; done
    has "$(cat many7.sse)" 'event: end' stopping && nilod_start
}

# ---- frames ----

frames_show_as_they_came_in_the_newest_first() {
    local all first next
    nilo settle && all=$(json '/v1/meters/M2/frames?explain=true') || return 1
    is '3 true native coap' "$(jq -r '"\(.rows | length) \((.rows | map(.id)) == (.rows | map(.id) | sort | reverse)) \(.rows[0].dialect) \(.rows[0].transport)"' <<< "$all")" || return 1
    is true "$(jq '.rows | all(.len * 2 == (.bytes | length) and (.peer | startswith("127.")) and (has("fault") | not))' <<< "$all")" || return 1
    # What a row explains is what nilo frame explain says of its bytes.
    is "$(nilo frame explain "$(jq -r '.rows[1].bytes' <<< "$all")" --format json | jq -c '[.fields[] | select(.value) | [.field, .value]] | length')" \
        "$(jq -c '.rows[1].explain | [.fields[] | select(.value) | [.field, .value]] | length' <<< "$all")" || return 1
    has "$all" 1500.5 || return 1
    # Pages join.
    first=$(json '/v1/meters/M2/frames?limit=2') && next=$(json "/v1/meters/M2/frames?limit=2&after=$(jq -r .next <<< "$first")") || return 1
    is "$(jq -c '.rows | map(.id)' <<< "$all")" "$(jq -cs 'map(.rows[].id)' <<< "$first$next")" && is null "$(jq .next <<< "$next")" || return 1
    is 3 "$(nilo meter frames M2 --format ndjson | grep -c '"bytes"')" && is 0 "$(json '/v1/meters/M1/frames' | jq '.rows | length')" || return 1
    is 0 "$(json '/v1/meters/M2/frames?to=2026-01-01T00:00:00Z' | jq '.rows | length')" && is 3 "$(json '/v1/meters/M2/frames?from=2026-01-01T00:00:00Z' | jq '.rows | length')" || return 1
    has "$(curl -s -w '\n%{http_code}' -H "$(auth north.token)" "$NILO_SERVER/v1/meters/M2/frames")" $'\n403'
}

# ---- search ----

found() { json "/v1/search?q=$1" | jq -c '[.rows[] | "\(.kind) \(.name) \(.point // "-") \(.serial // "-")"]'; }

what_begins_so_is_found() {
    is '["serial M1 P1 -","serial M2 P2 -"]' "$(found m)" && is '["point P2 P2 M2"]' "$(found P2)" && is '["account A-111 P1 M1"]' "$(found A-1)" && is '["route R1 - -","route R2 - -"]' "$(found R)" || return 1
    is '[]' "$(found zz)" && has "$(ask /v1/search)" $'\n422' && is '"/v1/points/P2"' "$(json '/v1/search?q=A-2' | jq '.rows[0].path')" || return 1
    # Of another unit nothing is found.
    is '["M1"]' "$(curl -sf -H "$(auth north.token)" "$NILO_SERVER/v1/search?q=M" | jq -c '[.rows[].name]')" || return 1
    curl -sf -o /dev/null -H "$(auth)" -d '{"route":"R1","org":"N","reader":"ben"}' "$NILO_SERVER/v1/routes" || return 1
    is '["R1"]' "$(json '/v1/routes?reader=ben' | jq -c '[.rows[].route]')" && is '[]' "$(json '/v1/routes?reader=nobody' | jq -c '.rows')"
}

# ---- photos ----

# A JPEG by its first bytes, of any length.
jpeg() { printf '\xff\xd8\xff\xe0' && head -c "$1" /dev/zero | tr '\0' "$2"; }
hand_in() { curl -s -w '\n%{http_code}' -H "$(auth "${3:-$NILO_TOKEN_FILE}")" -H "Content-Type: ${2:-image/jpeg}" --data-binary "@$1" "$NILO_SERVER/v1/photos"; }

a_photo_is_kept_once_and_is_an_image_and_nothing_else() {
    local id head
    jpeg 200000 a > dial.jpg && id=$(sha256sum dial.jpg | cut -d' ' -f1) || return 1
    has "$(hand_in dial.jpg)" "\"photo\":\"$id\"" '"type":"image/jpeg"' $'\n201' && has "$(hand_in dial.jpg)" $'\n200' || return 1
    curl -sf -D head -o back.jpg -H "$(auth)" "$NILO_SERVER/v1/photos/$id" && cmp dial.jpg back.jpg || return 1
    head=$(tr -d '\r' < ./head | tr 'A-Z' 'a-z')
    has "$head" 'content-type: image/jpeg' "content-security-policy: default-src 'none'; sandbox" 'x-content-type-options: nosniff' 'immutable' || return 1
    has "$(curl -s -o /dev/null -w '%{http_code}' -H "$(auth)" -H "If-None-Match: \"$id\"" "$NILO_SERVER/v1/photos/$id")" 304 || return 1
    printf '<script>alert(1)</script>' > page.html && has "$(hand_in page.html)" $'\n422' 'JPEG, PNG or WebP' && has "$(hand_in page.html text/html)" $'\n415' || return 1
    jpeg 1048577 b > large.jpg && has "$(hand_in large.jpg)" $'\n413' && has "$(ask "/v1/photos/${id%??}00")" $'\n404' && has "$(ask /v1/photos/..%2F..%2Fstore.key)" $'\n404' || return 1
    has "$(curl -s -w '\n%{http_code}' "$NILO_SERVER/v1/photos/$id")" $'\n401' && nilo token create --role viewer --name v > viewer.token && has "$(hand_in dial.jpg image/jpeg viewer.token)" $'\n403' || return 1
    # A read refers to it, the audit knows who handed it in, and the command does the same.
    jpeg 300 c > other.jpg && is "$(sha256sum other.jpg | cut -d' ' -f1)" "$(nilo photo add other.jpg --format ndjson | jq -r .photo)" && nilo photo get "$id" | cmp - dial.jpg || return 1
    has "$(nilo audit list --format ndjson | grep photo.add)" "$id" '"who":"admin"'
}

photos_go_with_the_store() {
    exits 0 nilo store backup --store store --to copy && exits 0 nilo store check --store copy --format json && is 2 "$(jq .photos <<< "$said")" || return 1
    exits 0 nilo store restore --from copy --store back && is 2 "$(find back/photos -type f | wc -l)" || return 1
    printf x >> "$(find copy/photos -type f | head -1)" && exits 1 nilo store check --store copy && has "$said" copy/photos
}

photos_have_an_end() {
    nilod_stop && nilod_start --photo-rate 2 --photo-space 1 || return 1
    for n in 1 2; do
        jpeg "$n" d > small.jpg && has "$(hand_in small.jpg)" $'\n201' || return 1
    done
    has "$(hand_in small.jpg)" $'\n429' 'in an hour' || return 1
    nilo token create --role crew --name c > crew.token && jpeg 900000 e > big.jpg && has "$(hand_in big.jpg image/jpeg crew.token)" $'\n507' 'photo-space' || return 1
    nilod_stop && nilod_start
}

# A store of one flag, the last that is needed.
a_damaged_flag_is_told_and_harms_nobody() {
    local at turn now=2026-03-02T02:00:00Z
    nilod_stop && rm -rf store && nilod_start --virtual-clock $now || return 1
    printf 'serial,dn,q3,verified_on\nOLD,15,2.5,2010-01-01\n' | nilo import meters - > /dev/null && printf 'point\nP\n' | nilo import points - > /dev/null || return 1
    printf 'point,serial,from,start_index_l\nP,OLD,2026-01-02T00:00:00Z,0\n' | nilo import fittings - > /dev/null && nilo settle && has "$(ask /v1/flags)" '"kind":"overdue"' || return 1
    nilod_stop || return 1
    for at in $(grep -obUa '00000001-overdue-69570a80' store/views.mdb | cut -d: -f1); do
        printf '\377\377\377\377' | dd of=store/views.mdb bs=1 seek=$((at + 40)) conv=notrunc status=none
    done
    nilod_start --virtual-clock $now
    for turn in 1 2 3; do
        has "$(ask /v1/field-list)" '"code":"corrupt"' || { echo "      in turn $turn"; return 1; }
    done
    has "$(ask /v1/clock)" $'\n200' || return 1
    nilod_stop # whose self-check finds the damage, too
    rm -rf store && nilod_start
}

nilod_start
hold world a_year_of_hours_is_at_most_so_many_points_and_loses_no_litre from_years_to_hours a_page_is_told_what_happens_and_no_other_unit_is who_comes_again_is_told_what_it_missed \
    who_signs_out_hears_no_more frames_show_as_they_came_in_the_newest_first what_begins_so_is_found \
    a_photo_is_kept_once_and_is_an_image_and_nothing_else photos_go_with_the_store photos_have_an_end who_does_not_read_misses_some_and_holds_up_nobody \
    too_many_are_refused_and_a_stop_ends_all a_damaged_flag_is_told_and_harms_nobody
hold_end
