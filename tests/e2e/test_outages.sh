#!/usr/bin/env bash
# Meters that fall silent, and cells that do, over a real nilod: reports come over CoAP, the clock stands still between them. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

call() {
    curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"
}
token=''

# A1 to A6 report through cell 501, B1 to B6 through gateway 0a, C1 and C2 through neither; N1 is read by hand, S1 waits in store.
world() {
    printf 'org,level,parent\nCO,company,\nNORTH,branch,CO\nSOUTH,branch,CO\n' > orgs.csv
    printf 'route,org,days\nRA,NORTH,daily\nRB,SOUTH,daily\n' > routes.csv
    local m
    { echo serial,dn,q3; for m in A1 A2 A3 A4 A5 A6 B1 B2 B3 B4 B5 B6 C1 C2 N1 S1; do echo "$m,15,2.5"; done; } > meters.csv
    { echo point,route; for m in A1 A2 A3 A4 A5 A6 C1 C2 N1 S1; do echo "P$m,RA"; done; for m in B1 B2 B3 B4 B5 B6; do echo "P$m,RB"; done; } > points.csv
    { echo point,serial,from,start_index_l; for m in A1 A2 A3 A4 A5 A6 B1 B2 B3 B4 B5 B6 C1 C2 N1; do echo "P$m,$m,2026-01-01T00:00:00+08:00,0"; done; } > fittings.csv
    printf 'serial,time,index_l,source\nN1,2026-02-01T00:00:00+08:00,10,manual\n' > readings.csv
    local list
    for list in orgs routes meters points fittings readings; do nilo import $list $list.csv || return 1; done
    nilo token create --role viewer --name north --org NORTH > north.token
    nilo token create --role supervisor --name south --org SOUTH > south.token
    nilo settle
}

# report CELL METER...: a native report of each as of now, with a register that rises by the hour.
report() {
    python3 - "$coap" "$(nilo clock show --format json)" "$@" <<'END'
import json, socket, struct, sys
from datetime import datetime
host, port = sys.argv[1].rsplit(':', 1)
now = int(datetime.fromisoformat(json.loads(sys.argv[2])['now'].replace('Z', '+00:00')).timestamp())
cell = int(sys.argv[3], 0)
def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)
for i, serial in enumerate(sys.argv[4:]):
    index = (now - 1767196800) // 3600 * 5
    series = b'\x10\x00' + b'\x18' + varint(index << 1) + b'\x25' + struct.pack('<I', now)
    body = b'\x0a' + bytes([len(serial)]) + serial.encode() + b'\x1d' + struct.pack('<I', now) + b'\x22' + bytes([len(series)]) + series
    if cell:
        body += b'\x48' + varint(cell)
    s.sendto(b'\x40\x02' + struct.pack('>H', (now // 60 + i) & 0xffff) + b'\xb1r\xff' + body, (host, int(port)))
    answer = s.recv(1500)
    assert answer[1] == 0x44, (serial, answer)
END
}
A='A1 A2 A3 A4 A5 A6' B='B1 B2 B3 B4 B5 B6' C='C1 C2' GATEWAY=0x8000000a
hour=0
# day: 24 hours pass, then those report that are named by $in_a, $in_b and $in_c.
day() {
    hour=$((hour + 24))
    nilo clock set "$(date -u -d "2026-03-01T02:00:00Z + $hour hours" +%FT%TZ)" > /dev/null || return 1
    [[ ! $in_a ]] || report 501 $in_a || return 1
    [[ ! $in_b ]] || report $GATEWAY $in_b || return 1
    [[ ! $in_c ]] || report 0 $in_c || return 1
    nilo settle
}
days() { local left=$1; while ((left-- > 0)); do day || return 1; done; }
# flags MEMBER...: of all flags of the kinds, in order of id.
flags() { nilo flag list --kind "$1" --format ndjson | python3 -c 'import json,sys
for f in (f for f in map(json.loads, sys.stdin) if "end" not in f):
    v = {**f["evidence"], **f}
    print(*[v.get(k) for k in sys.argv[1:]])' "${@:2}" | sort; }

nobody_is_silent_who_reports_or_never_did() {
    in_a=$A in_b=$B in_c=$C
    days 6 || return 1
    is '' "$(flags silent serial)" || return 1
    is '' "$(flags outage cell)"
}

one_that_says_nothing_for_three_of_its_periods_is_silent() {
    in_a='A2 A3 A4 A5 A6'
    days 2 || return 1 # A1 was heard on day 6
    is '' "$(flags silent serial)" || return 1
    day || return 1
    is 'A1 PA1 open medium 2026-03-07T02:00:00Z 2026-03-07T02:00:00Z 24 72 501' "$(flags silent serial point state severity onset last_heard_at period_h limit_h cell)" || return 1
    has "$(nilo flag list --kind silent --format ndjson)" 'it used to report every 24 hours' 'No outage is known that would explain it' '平时每24小时上报一次' || return 1
    days 4 || return 1
    is 'A1 open high 0.3' "$(flags silent serial state severity confidence)"
}

it_ends_with_the_next_report() {
    in_a=$A
    day || return 1
    is 'A1 cleared high 2026-03-15T02:00:00Z' "$(flags silent serial state severity cleared_at)" || return 1
    day || return 1
    is 1 "$(flags silent serial | wc -l)"
}

a_cell_that_falls_silent_is_one_flag_and_its_meters_have_none() {
    in_a='' in_b='B2 B3 B4 B5 B6' # B1 alone as well
    days 3 || return 1
    is '501 open 6 6 2026-03-16T02:00:00Z' "$(flags outage cell state silent meters onset)" || return 1
    is '' "$(call GET /v1/flags?kind=outage | grep -E '"(serial|point)"')" || return 1
    has "$(call GET /v1/flags?kind=outage)" 'of radio cell 501 are silent since 2026-03-16 10:00' 'send nobody to a meter' '基站小区501' || return 1
    days 5 || return 1
    is 'A1 cleared
B1 open' "$(flags silent serial state)" || return 1
    is 1 "$(flags outage cell | wc -l)"
}

no_order_comes_of_an_outage() {
    is 1 "$(nilo audit list --format ndjson | grep -c '"what":"flag.born".*outage')" || return 1
    has "$(call POST /v1/orders "{\"kind\":\"inspect\",\"flag\":\"$(flags outage id)\"}")" $'\n422' 'of an outage' || return 1
    has "$(call POST /v1/orders/by-rule '{"rule":"silent-read"}')" 'PA' && return 1
    has "$(call POST /v1/orders/by-rule '{"rule":"silent-inspect"}')" '"created":0' || return 1 # B1 may come back by itself
    days 13 || return 1
    has "$(call POST /v1/orders/by-rule '{"rule":"silent-inspect"}')" '"created":1' '"serial":"B1"'
}

an_outage_belongs_to_who_has_a_point_in_it() {
    is 1 "$(nilo --token-file north.token flag list --kind outage --format csv | sed 1d | wc -l)" || return 1
    is 0 "$(nilo --token-file south.token flag list --kind outage --format csv | sed 1d | wc -l)" || return 1
    local id
    id=$(flags outage id)
    has "$(token=south.token call GET "/v1/flags/$id")" $'\n403' || return 1
    has "$(token=south.token call POST "/v1/flags/$id" '{"state":"dismissed"}')" $'\n403' || return 1
    has "$(call POST "/v1/flags/$id" '{"state":"confirmed","note":"power cut"}')" $'\n200' || return 1
    is confirmed "$(flags outage state)" || return 1
    has "$(call GET "/v1/flags/$id")" '"cell":"501"' '"note":"power cut"'
}

who_stays_silent_when_the_cell_is_back_has_a_flag_from_then_on() {
    in_a='A1 A2 A3 A4 A5'
    days 3 || return 1
    is '2026-04-07T02:00:00Z' "$(flags outage cleared_at)" || return 1
    has "$(nilo flag list --kind silent --format ndjson | grep '"serial":"A6"')" '"state":"open"' '"onset":"2026-03-16T02:00:00Z"' || return 1
    is 'A1 cleared
A6 open
B1 open' "$(flags silent serial state)"
}

one_that_was_told_before_its_gateway_fell_silent_is_marked() {
    in_b='B1 B2 B3 B4 B5 B6'
    days 4 || return 1
    is cleared "$(flags silent serial state | sed -n 's/^B1 //p')" || return 1
    in_b='B2 B3 B4'
    day || return 1
    in_b='' # all of them: B1, B5 and B6 are silent for a day longer
    days 3 || return 1
    is '0000000a open 6 6' "$(flags outage cell state silent meters | grep 0000000a)" || return 1
    has "$(nilo flag list --kind outage --format ndjson)" 'gateway 0000000a heard' || return 1
    days 4 || return 1
    is 'A1 cleared None
A6 open None
B1 cleared None
B1 open 2026-04-14T02:00:00Z
B5 open 2026-04-14T02:00:00Z
B6 open 2026-04-14T02:00:00Z' "$(flags silent serial state outage_since)" || return 1
    has "$(nilo flag list --kind silent --format ndjson | grep '"serial":"B5"')" '"severity":"low"' '"confidence":0.05' 'do not go to the meter' '不必上门' || return 1
    has "$(call POST /v1/orders/by-rule '{"rule":"silent-inspect"}')" '"created":1' '"serial":"A6"' || return 1 # A6 alone: what is a part of an outage is nobody's to visit
    in_b=$B
    day || return 1
    is 'A1 cleared
A6 open
B1 cleared
B1 cleared
B5 cleared
B6 cleared' "$(flags silent serial state)" && is cleared "$(flags outage cell state | sed -n 's/^0000000a //p')"
}

suspended_and_removed_meters_are_not_silent() {
    has "$(call POST /v1/meters/C1/events '{"event":"suspend","document":"D1"}')" $'\n201' || return 1
    has "$(call POST /v1/meters/C2/events '{"event":"remove","index_l":90000,"overrule":true,"note":"gone"}')" $'\n201' || return 1
    in_c=''
    days 5 || return 1
    is '' "$(flags silent serial state | grep C)" || return 1
    has "$(call POST /v1/meters/C1/events '{"event":"resume"}')" $'\n201' || return 1
    days 4 || return 1
    has "$(flags silent serial state severity)" 'C1 open medium' || return 1
    has "$(call POST /v1/meters/C1/events '{"event":"suspend","document":"D2"}')" $'\n201' || return 1
    day || return 1
    has "$(flags silent serial state)" 'C1 cleared'
}

a_restart_and_a_rebuild_find_the_same_flags() {
    local now
    now=$(date -u -d "2026-03-01T02:00:00Z + $hour hours" +%FT%TZ)
    nilo flag list --format ndjson > before
    nilod_stop || return 1
    nilod_start --tz Asia/Shanghai --virtual-clock "$now"
    nilo settle
    nilo flag list --format ndjson > after
    cmp before after || { diff before after; return 1; }
    flags_survive_a_rebuild "$now"
}

nilod_start --tz Asia/Shanghai --virtual-clock 2026-03-01T02:00:00Z
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold nobody_is_silent_who_reports_or_never_did one_that_says_nothing_for_three_of_its_periods_is_silent it_ends_with_the_next_report a_cell_that_falls_silent_is_one_flag_and_its_meters_have_none \
    no_order_comes_of_an_outage an_outage_belongs_to_who_has_a_point_in_it who_stays_silent_when_the_cell_is_back_has_a_flag_from_then_on one_that_was_told_before_its_gateway_fell_silent_is_marked \
    suspended_and_removed_meters_are_not_silent a_restart_and_a_rebuild_find_the_same_flags
hold_end
