#!/usr/bin/env bash
# Dial against transmitter over a real nilod: what stands between the two by design is no fault and no use, what came apart is the flag out-of-step. Each function is a claim; one that
# returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

call() {
    curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"
}
token=''
# pick MEMBER... of the only row on standard input
pick() {
    python3 -c 'import json,sys
rows=[r for r in map(json.loads,sys.stdin) if "end" not in r]
assert len(rows)==1, rows
print(*["null" if rows[0].get(k) is None else rows[0][k] for k in sys.argv[1:]])' "$@"
}
sheet_of() { nilo route day R --date "$1" --format ndjson | grep "\"point\":\"$2\"" | pick "${@:3}"; }
flags_of() { nilo flag list --kind out-of-step --format ndjson | grep "\"serial\":\"$1\""; }

# A: a transmitter that counts from 0 on a dial of 100 m3, and begins again at a new battery; few values. H: the same by the hour. S: half of the pulses are lost. T: a slip of the pen. N: nobody
# changed anything, and an offset is told.
world() {
    printf 'org,level,parent\nCO,company,\nNORTH,branch,CO\nSOUTH,branch,CO\n' > orgs.csv
    printf 'route,org,days\nR,NORTH,daily\n' > routes.csv
    { echo serial,dn,q3; for m in A H S T N; do echo "M$m,15,2.5"; done; } > meters.csv
    { echo point,route,route_seq; for p in A H S T N; do echo "$p,R,1"; done; } > points.csv
    { echo point,serial,from,start_index_l; for p in A H S T N; do echo "$p,M$p,2026-01-01T00:00:00+08:00,100000"; done; } > fittings.csv
    python3 - > readings.csv <<'END'
from datetime import datetime, timedelta
begin = datetime.fromisoformat('2026-01-01T00:00:00+08:00')
def put(serial, hour, litres, source=''): print(serial, (begin + timedelta(hours=hour)).isoformat(), round(litres), source, sep=',')
print('serial,time,index_l,source')
put('MA', 0, 0); put('MA', 720, 4200); put('MA', 960, 0); put('MA', 1032, 350)
for h in range(1033):
    put('MH', h, 5.83 * h if h < 960 else 5 * (h - 960))
    put('MS', h, 100000 + 6.25 * h)
    put('MT', h, 100000 + 12.5 * h)
    put('MN', h, 6.25 * h)
END
    local list
    for list in orgs routes meters points fittings readings; do nilo import $list $list.csv || return 1; done
    nilo settle
}
read_dial() { call POST /v1/reads "{\"point\":\"$1\",\"at\":\"$2\",\"index_l\":$3}"; }

what_a_transmitter_counts_from_its_own_beginning_is_no_difference() {
    has "$(read_dial A 2026-01-31T00:00:00+08:00 104200)" $'\n201' '"warnings":[]' || return 1
    is 'ok null 4200 104200 0 100000 0' "$(sheet_of 2026-01-31 A state reason remote_l manual_l difference_l offset_l off_l)" || return 1
    has "$(read_dial A 2026-02-10T00:00:00+08:00 104900)" $'\n201' || return 1 # the battery is changed
    has "$(read_dial A 2026-02-13T00:00:00+08:00 105250)" $'\n201' || return 1
    is 'ok null 350 105250 0 104900 0' "$(sheet_of 2026-02-13 A state reason remote_l manual_l difference_l offset_l off_l)" || return 1
    nilo settle
    is 5250 "$(nilo consumption A --from 2026-01-01T00:00:00+08:00 --to 2026-02-13T00:00:00+08:00 --format ndjson | pick consumption_l)" || return 1
    is '' "$(flags_of MA)"
}

by_the_hour_it_is_no_difference_either() {
    has "$(token=crew.token read_dial H 2026-01-31T09:10:00+08:00 104250)" $'\n201' '"warnings":[]' || return 1
    is 'ok null 4198 104250 100000' "$(sheet_of 2026-01-31 H state reason remote_l manual_l offset_l)" || return 1
    has "$(token=crew.token read_dial H 2026-01-31T09:15:00+08:00 4250)" $'\n422' || return 1 # the transmitter's number is not the dial's
    has "$(token=crew.token read_dial H 2026-02-10T00:00:00+08:00 106300)" $'\n201' || return 1
    has "$(token=crew.token read_dial H 2026-02-12T12:00:00+08:00 106600)" $'\n201' || return 1
    nilo settle
    is 'ok 106300' "$(sheet_of 2026-02-12 H state offset_l)" || return 1
    is '' "$(flags_of MH)"
}

a_dial_that_left_its_transmitter_is_flagged_with_both() {
    read_dial S 2026-01-05T09:00:00+08:00 101000 > said
    has "$(read_dial S 2026-01-25T09:00:00+08:00 107500)" $'\n201' || return 1
    nilo settle
    is 'open medium 107500 103656 0 3844 1000 1' "$(flags_of MS | python3 -c 'import json,sys
f=json.load(sys.stdin); e=f["evidence"]
print(f["state"], f["severity"], e["dial_l"], round(e["counted_l"]), e["offset_l"], round(e["off_l"]), e["tolerance_l"], e["dial_reads"])')" || return 1
    has "$(flags_of MS)" '"onset":"2026-01-25T01:00:00Z"' 'above what the transmitter counted' '比电子计数高' || return 1
    is 'odd out-of-step' "$(sheet_of 2026-01-25 S state reason)" || return 1
    read_dial S 2026-02-05T09:00:00+08:00 111000 > said
    nilo settle
    has "$(flags_of MS)" '"dial_reads":2' '"onset":"2026-01-25T01:00:00Z"'
}

one_slip_is_withdrawn_by_the_next_dial() {
    read_dial T 2026-01-20T09:00:00+08:00 109000 > said # for 106
    nilo settle
    has "$(flags_of MT)" '"state":"open"' || return 1
    read_dial T 2026-02-01T09:00:00+08:00 109000 > said
    nilo settle
    has "$(flags_of MT)" '"state":"withdrawn"' || return 1
    read_dial T 2026-02-05T09:00:00+08:00 101000 > said # below what was read before: it says nothing of the transmitter
    nilo settle
    has "$(flags_of MT)" '"state":"withdrawn"' && is 1 "$(flags_of MT | wc -l)"
}

an_offset_is_told_by_those_who_may_and_counts() {
    read_dial N 2026-01-20T09:00:00+08:00 150000 > said
    read_dial N 2026-01-30T09:00:00+08:00 151500 > said
    nilo settle
    has "$(flags_of MN)" '"state":"open"' || return 1
    has "$(token=south.token call POST /v1/meters/MN/offset '{"dial_l":1}')" $'\n403' || return 1
    has "$(token=viewer.token call POST /v1/meters/MN/offset '{"dial_l":1}')" $'\n403' viewer || return 1
    has "$(call POST /v1/meters/MX/offset '{"dial_l":1}')" $'\n404' MX || return 1
    has "$(call POST /v1/meters/MN/offset '{"counted_l":1}')" $'\n422' '"field":"dial_l"' || return 1
    has "$(call POST /v1/meters/MN/offset '{"dial_l":10000000}')" $'\n422' '"field":"dial_l"' || return 1
    has "$(call POST /v1/meters/MN/offset '{"dial_l":1,"counted_l":-1}')" $'\n422' '"field":"counted_l"' || return 1
    has "$(call POST /v1/meters/MN/offset '{"dial_l":1,"dial":2}')" $'\n422' || return 1
    has "$(call POST /v1/meters/MN/offset '{"dial_l":1,"at":"2026-02-14T00:00:00Z"}')" $'\n422' '"field":"at"' || return 1
    has "$(call POST /v1/meters/MN/offset '{"dial_l":1,"at":"2025-12-01T00:00:00Z"}')" $'\n409' '"field":"at"' || return 1
    is 0 "$(nilo meter offsets MN --format csv | sed 1d | wc -l)" || return 1
    exits 0 nilo --token-file crew.token meter offset MN --dial 149000 --counted 2850 --at 2026-01-20T00:00:00+08:00 --note 'dial changed at the works' || return 1
    nilo settle
    has "$(flags_of MN)" '"state":"withdrawn"' || return 1
    is 'ok 146150' "$(sheet_of 2026-01-30 N state offset_l)" || return 1
    is '149000 2850 crew dial changed at the works' "$(nilo meter offsets MN --format ndjson | pick dial_l counted_l told_by note)" || return 1
    has "$(call POST /v1/meters/MN/offset '{"at":"2026-01-20T00:00:00+08:00","dial_l":149000,"counted_l":2850,"note":"dial changed at the works"}')" $'\n200' || return 1
    is 1 "$(nilo audit list --format ndjson | grep -c '"what":"meter.offset"')"
}

orders_are_made_of_what_came_apart() {
    has "$(call POST /v1/orders/by-rule '{"rule":"out-of-step-inspect"}')" $'\n201' '"created":1' '"serial":"MS"' '"kind":"inspect"' '-out-of-step-'
}

a_rebuild_finds_the_same_flags() { flags_survive_a_rebuild 2026-02-14T08:00:00+08:00 --kind out-of-step; }

nilod_start --tz Asia/Shanghai --virtual-clock 2026-02-13T08:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
nilo token create --role crew --name crew > crew.token
nilo token create --role viewer --name viewer > viewer.token
nilo token create --role crew --name south --org SOUTH > south.token
hold what_a_transmitter_counts_from_its_own_beginning_is_no_difference by_the_hour_it_is_no_difference_either a_dial_that_left_its_transmitter_is_flagged_with_both \
    one_slip_is_withdrawn_by_the_next_dial an_offset_is_told_by_those_who_may_and_counts orders_are_made_of_what_came_apart a_rebuild_finds_the_same_flags
hold_end
