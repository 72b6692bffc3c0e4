#!/usr/bin/env bash
# Points that somebody has to go to, over a real nilod: each cause finds its points and no others, and orders are made of them. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

call() {
    curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"
}
token=''
# The points of a list with their causes, a word each: A:missing,unread
causes() {
    nilo visit list "$@" --format ndjson | python3 -c 'import json,sys
print(*[r["point"]+":"+",".join(c["cause"] for c in r["causes"]) for r in map(json.loads,sys.stdin) if "end" not in r])'
}
# of POINT MEMBER...
of() {
    nilo visit list --format ndjson | python3 -c 'import json,sys
r=[r for r in map(json.loads,sys.stdin) if r.get("point")==sys.argv[1]][0]
print(*["null" if r.get(k) is None else r[k] for k in sys.argv[2:]])' "$@"
}

# On R1, daily: A is read every day; B was never read; C for three days only; D until February; E by hand alone, ten days ago; F has no meter; G came three days ago. H on R2, of another unit, like B.
world() {
    printf 'org,level,parent\nCO,company,\nNORTH,branch,CO\nSOUTH,branch,CO\n' > orgs.csv
    printf 'route,org,days\nR1,NORTH,daily\nR2,SOUTH,1\n' > routes.csv
    { echo serial,dn,q3; for m in A B C D E G H; do echo "M$m,15,2.5"; done; } > meters.csv
    { echo point,account,address,phone,route,route_seq,zone
      for p in 'A,70' 'B,60' 'C,50' 'D,40' 'E,30' 'F,20' 'G,10'; do echo "${p%,*},ACC-${p%,*},${p%,*} Street,130-${p%,*},R1,${p#*,},Z1"; done
      echo H,,,,R2,1,Z2; } > points.csv
    { echo point,serial,from,start_index_l
      for p in A B C D E H; do echo "$p,M$p,2026-01-01T00:00:00+08:00,1000"; done
      echo G,MG,2026-04-07T00:00:00+08:00,1000; } > fittings.csv
    python3 - > readings.csv <<'END'
from datetime import datetime, timedelta
begin = datetime.fromisoformat('2026-01-01T00:00:00+08:00')
print('serial,time,index_l,source')
for day in range(1, 100):
    at = (begin + timedelta(day)).isoformat()
    print(f'MA,{at},{1000 + 200 * day},')
    if day <= 3: print(f'MC,{at},{1000 + 200 * day},')
    if day <= 40: print(f'MD,{at},{1000 + 200 * day},')
    if day == 89: print(f'ME,{at},20000,manual')
END
    local list
    for list in orgs routes meters points fittings readings; do nilo import $list $list.csv || return 1; done
    nilo settle
}

each_cause_finds_its_points() {
    is 'B:never-read C:missing,unread D:unread H:never-read' "$(causes)" || return 1
    is 'D:unread C:missing,unread B:never-read' "$(causes --route R1)" || return 1 # in walking order
    is 'H:never-read' "$(causes --zone Z2)" && is 'C:missing,unread' "$(causes --cause missing)" && is '' "$(causes --cause disputed)" || return 1
    is 'D:unread' "$(causes --since 2026-02-01T00:00:00+08:00)" || return 1
    is 'ACC-D D Street 130-D MD 2026-02-09T16:00:00Z 2026-02-09T16:00:00Z 59' "$(of D account address phone serial since last_read_at days)" || return 1
    is '2025-12-31T16:00:00Z null' "$(of B since last_read_at)"
}

pages_hold_the_same_points() {
    local where size cursor next
    for where in '' '&route=R1' '&zone=Z1'; do
        call GET "/v1/visits?limit=100$where" | sed '$d' | python3 -c 'import json,sys; print(*[r["point"] for r in json.load(sys.stdin)["rows"]])' > whole
        for size in 1 2; do
            : > pages
            cursor=''
            while :; do
                call GET "/v1/visits?limit=$size$where${cursor:+&after=$cursor}" | sed '$d' > page
                python3 -c 'import json; print(*[r["point"] for r in json.load(open("page"))["rows"]])' >> pages
                next=$(python3 -c 'import json; print(json.load(open("page"))["next"] or "")')
                [[ $next ]] || break
                cursor=$next
            done
            is "$(cat whole)" "$(paste -sd' ' pages | sed 's/ *$//;s/  */ /g')" || return 1
        done
    done
}

a_unit_sees_its_own_and_strange_words_are_refused() {
    has "$(token=south.token call GET /v1/visits)" '"point":"H"' && [[ $(token=south.token call GET /v1/visits) != *'"point":"B"'* ]] || return 1
    has "$(token=south.token call GET '/v1/visits?route=R1')" $'\n403' || return 1
    has "$(call GET '/v1/visits?route=R9')" $'\n404' R9 || return 1
    has "$(call GET '/v1/visits?cause=rain')" $'\n422' '"field":"cause"' || return 1
    has "$(call GET '/v1/visits?since=soon')" $'\n422' '"field":"since"'
}

a_dispute_is_visited_until_it_is_resolved() {
    has "$(call POST /v1/routes/R1/day/dispute '{"date":"2026-04-09","point":"A","note":"the customer says no"}')" $'\n201' || return 1
    is 'A:disputed' "$(causes --cause disputed)" || return 1
    has "$(call POST /v1/routes/R1/day/resolve '{"date":"2026-04-09","point":"A","note":"it was right"}')" $'\n201' || return 1
    is '' "$(causes --cause disputed)"
}

two_cycles_without_a_read_are_enough() {
    local id
    for id in 02 03; do
        nilo cycle open "2026-$id" R1 --from "2026-$id-12T00:00:00+08:00" --to "2026-0$((${id#0} + 1))-12T00:00:00+08:00" > /dev/null || return 1
    done
    nilo clock set 2026-04-13T08:00:00+08:00 > /dev/null
    nilo cycle close 2026-02 > /dev/null || return 1
    is '' "$(causes --cause estimated-twice)" || return 1
    nilo cycle close 2026-03 > /dev/null || return 1
    is 'B:never-read,estimated-twice C:missing,estimated-twice,unread D:estimated-twice,unread' "$(causes --cause estimated-twice)"
}

orders_are_made_of_them_and_a_read_ends_it() {
    has "$(call POST /v1/orders/by-rule '{"rule":"visit-read","route":"R1","dry_run":true}')" '"created":3' || return 1
    has "$(call POST /v1/orders/by-rule '{"rule":"visit-read","route":"R1"}')" $'\n201' '"created":3' '"kind":"read"' || return 1
    has "$(call POST /v1/orders/by-rule '{"rule":"visit-read","route":"R1"}')" $'\n200' '"created":0' || return 1
    has "$(of D order)" W0 || return 1
    has "$(call POST /v1/reads '{"point":"D","index_l":21000}')" $'\n201' || return 1
    nilo settle
    [[ $(causes) != *D:* ]] || { causes; return 1; }
    exits 0 nilo store check --store store
}

nilod_start --tz Asia/Shanghai --virtual-clock 2026-04-10T08:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
nilo token create --role viewer --name south --org SOUTH > south.token
hold each_cause_finds_its_points pages_hold_the_same_points a_unit_sees_its_own_and_strange_words_are_refused a_dispute_is_visited_until_it_is_resolved \
    two_cycles_without_a_read_are_enough orders_are_made_of_them_and_a_read_ends_it
hold_end
