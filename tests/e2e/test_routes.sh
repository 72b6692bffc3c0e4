#!/usr/bin/env bash
# Routes over a real nilod: day sheets with their causes, days of 23 and 25 hours. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# call METHOD PATH [BODY [CURL OPTION...]]: the body and the status. `token` names the file of the token, the administrator's without it.
token=''
call() {
    curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "${@:4}" "$NILO_SERVER$2"
}
# of POINT MEMBER...: what the rows on standard input say of a point.
of() {
    python3 -c 'import json,sys
rows=[r for r in map(json.loads,sys.stdin) if r.get("point")==sys.argv[1]]
assert len(rows)==1, "%d rows of %s" % (len(rows), sys.argv[1])
print(*["null" if rows[0].get(k) is None else str(rows[0][k]).lower() if isinstance(rows[0][k],bool) else rows[0][k] for k in sys.argv[2:]])' "$@"
}
sheet() { nilo route day "$@" --format ndjson | sed '$d'; }

# Route R1, daily: A and B read every midnight, C until the 18th, D never had a meter, E lost it, F uses twenty times as much on the last day, G is read by hand alone;
# K1 to K4 share a radio cell. R2 is of another unit and another reader; R3's days are 1 and 15.
world() {
    printf 'org,level,parent\nCO,company,\nNORTH,branch,CO\nSOUTH,branch,CO\n' > orgs.csv
    printf 'route,org,reader,days\nR1,NORTH,wang,daily\nR2,SOUTH,li,\nR3,NORTH,wang,"1,15"\nR4,NORTH,,someday\n' > routes.csv
    { echo serial,dn,q3; for m in A B C E F G H; do echo "M$m,15,2.5"; done; } > meters.csv
    { echo point,account,address,route,route_seq
      for p in 'G,70' 'F,60' 'E,50' 'D,40' 'C,30' 'B,20' 'A,10'; do echo "${p%,*},ACC-${p%,*},${p%,*} 路,R1,${p#*,}"; done
      echo H,ACC-H,,R2,1; } > points.csv
    { echo point,serial,from,start_index_l,to,end_index_l
      for p in A B C F G H; do echo "$p,M$p,2025-12-01T00:00:00+01:00,1000,,"; done
      echo E,ME,2025-12-01T00:00:00+01:00,1000,2026-03-20T10:00:00+01:00,9000; } > fittings.csv
    python3 - > readings.csv <<'END'
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo
tz = ZoneInfo('Europe/Madrid')
print('serial,time,index_l')
for m in 'ABCEFH':
    day, index = datetime(2025, 12, 2), 1000
    while day <= datetime(2026, 3, 29):
        index += 4200 if m == 'F' and day == datetime(2026, 3, 29) else 200
        if not (m == 'C' and day > datetime(2026, 3, 18) or m == 'E' and day > datetime(2026, 3, 20)):
            print('M%s,%s,%d' % (m, day.replace(tzinfo=tz).isoformat(), index))
        day += timedelta(1)
END
    local list
    for list in orgs routes meters points fittings readings; do nilo import $list $list.csv || return 1; done
    nilo settle
}

every_point_stands_in_walking_order_with_its_cause() {
    sheet R1 > rows || return 1
    is 'A B C D E F G' "$(python3 -c 'import json; print(*[json.loads(l)["point"] for l in open("rows")])')" || return 1
    is 'ok null 24600 2026-03-28T23:00:00Z 2026-03-28T23:00:00Z true 200 2026-03-27T23:00:00Z' "$(of A state reason remote_l remote_at due_at due use_l use_from < rows)" || return 1
    is 'missing silent null 2026-03-17T23:00:00Z' "$(of C state reason remote_l heard_at < rows)" || return 1
    is 'missing never-installed null' "$(of D state reason serial < rows)" || return 1
    is 'missing removed null' "$(of E state reason serial < rows)" || return 1
    is "odd high ['high'] 4200" "$(of F state reason checks use_l < rows)" || return 1
    is 'missing never-heard MG null' "$(of G state reason serial heard_at < rows)" || return 1
    has "$(of C reason_zh reason_en < rows)" '水表失联' silent || return 1
    is 'ACC-B B 路 MB 20' "$(of B account address serial seq < rows)"
}

pages_hold_the_same_rows() {
    local size next cursor
    for size in 1 3 7; do
        : > pages
        cursor=''
        while :; do
            curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/routes/R1/day?limit=$size${cursor:+&after=$cursor}" > page
            sed '$d' page >> pages
            next=$(tail -1 page | sed -nE 's/.*"next":"([^"]+)".*/\1/p')
            [[ $next ]] || break
            cursor=$next
        done
        cmp rows pages || { echo "      pages of $size"; return 1; }
    done
    is 8 "$(nilo route day R1 --format csv | wc -l)"
}

what_cannot_be_asked_is_refused() {
    has "$(call GET /v1/routes/R9/day)" $'\n404' R9 || return 1
    has "$(call GET '/v1/routes/R1/day?date=yesterday')" $'\n422' '"field":"date"' || return 1
    has "$(call GET '/v1/routes/R1/day?date=1960-01-01')" $'\n422' || return 1
    has "$(call GET '/v1/routes/R1/day?blind=perhaps')" $'\n422' || return 1
    has "$(token=north.token call GET /v1/routes/R2/day)" $'\n403' R2 && has "$(token=north.token call GET /v1/routes/R1/day)" $'\n200'
}

days_have_23_and_25_hours() {
    is '2026-03-28T23:00:00Z' "$(sheet R1 --date 2026-03-29 | of A due_at)" || return 1
    is '2026-03-29T22:00:00Z missing not-yet' "$(sheet R1 --date 2026-03-30 | of A due_at state reason)" || return 1
    is '2026-10-24T22:00:00Z' "$(sheet R1 --date 2026-10-25 | of A due_at)" || return 1
    is '2026-10-25T23:00:00Z' "$(sheet R1 --date 2026-10-26 | of A due_at)" || return 1
    is '24400 2026-03-27T23:00:00Z' "$(sheet R1 --date 2026-03-28 | of A remote_l remote_at)"
}

a_route_is_due_on_its_days() {
    call POST /v1/points '{"point":"S","route":"R3"}' > /dev/null && call POST /v1/points '{"point":"T","route":"R4"}' > /dev/null
    is 'false 2026-03-14T23:00:00Z' "$(sheet R3 | of S due use_from)" || return 1
    is 'true 2026-03-14T23:00:00Z' "$(sheet R3 --date 2026-04-01 | of S due use_from)" || return 1
    is 'true' "$(sheet R2 | of H due)" || return 1 # without days: every day
    is 'null' "$(sheet R4 | of T due)" # nobody can read those days
}

a_dial_beyond_the_tolerance_is_out_of_step() {
    has "$(call POST /v1/reads '{"point":"A","at":"2026-03-29T09:00:00+02:00","index_l":24650}')" $'\n201' || return 1
    has "$(call POST /v1/reads '{"point":"B","at":"2026-03-29T09:00:00+02:00","index_l":27000}')" $'\n201' || return 1
    has "$(call POST /v1/reads '{"point":"G","at":"2026-03-29T09:30:00+02:00","index_l":1234,"photo":"p1.jpg"}')" $'\n201' || return 1
    sheet R1 > rows
    is 'ok null 24600 24650 50 1000' "$(of A state reason remote_l manual_l difference_l tolerance_l < rows)" || return 1
    is 'odd out-of-step 24600 27000 2400' "$(of B state reason remote_l manual_l difference_l < rows)" || return 1
    is 'ok never-heard null 1234 2026-03-29T07:30:00Z null' "$(of G state reason remote_l manual_l manual_at difference_l < rows)"
}

who_is_to_read_blindly_sees_no_figures() {
    sheet R1 --blind > blind
    is 'null 24600' "$(of F remote_l < blind) $(of A remote_l < blind)" && is 'null odd' "$(of F use_l state < blind)"
}

note='{"date":"2026-03-29","note":"as walked","remarks":[{"point":"B","remark":"transmitter changed"},{"point":"C","remark":"door locked"},{"point":"D","remark":"empty plot"},{"point":"E","remark":"demolished"},{"point":"F","remark":"pool filled"}]}'
signing_names_who_may_and_what_is_not_in_order() {
    has "$(token=north.token call POST /v1/routes/R1/day/sign "$note")" $'\n403' viewer || return 1
    has "$(token=li.token call POST /v1/routes/R1/day/sign "$note")" $'\n403' wang li || return 1
    has "$(call POST /v1/routes/R9/day/sign "$note")" $'\n404' R9 || return 1
    has "$(call POST /v1/routes/R1/day/sign '{"remarks":[{"point":"nowhere","remark":"x"}]}')" $'\n404' nowhere || return 1
    has "$(call POST /v1/routes/R1/day/sign '{"remarks":[{"point":"H","remark":"x"}]}')" $'\n422' '"field":"remarks"' || return 1
    has "$(call POST /v1/routes/R1/day/sign '{"remarks":[{"point":"B","remark":""}]}')" $'\n422' || return 1
    has "$(call POST /v1/routes/R1/day/sign '{"date":"soon"}')" $'\n422' '"field":"date"' || return 1
    has "$(call POST /v1/routes/R1/day/sign '{"date":"2026-03-30"}')" $'\n409' 2026-03-30 || return 1
    said=$(token=wang.token call POST /v1/routes/R1/day/sign '{"date":"2026-03-29","remarks":[{"point":"C","remark":"door locked"}]}')
    has "$said" $'\n409' 'B (odd, out-of-step)' 'D (missing, never-installed)' 'E (missing, removed)' 'F (odd, high)' && [[ $said != *'C ('* ]] || return 1
    is 'ok null' "$(sheet R1 --date 2026-03-29 | of A state signed_by)"
}

a_dispute_stands_until_a_supervisor_resolves_it() {
    has "$(token=wang.token call POST /v1/routes/R1/day/dispute '{"date":"2026-03-29","point":"A"}')" $'\n422' '"field":"note"' || return 1
    has "$(token=wang.token call POST /v1/routes/R1/day/dispute '{"date":"2026-03-29","point":"H","note":"?"}')" $'\n422' '"field":"point"' || return 1
    has "$(token=wang.token call POST /v1/routes/R1/day/dispute '{"date":"2026-03-29","point":"nowhere","note":"?"}')" $'\n404' || return 1
    has "$(call POST /v1/routes/R1/day/resolve '{"date":"2026-03-29","point":"A","note":"?"}')" $'\n409' 'not disputed' || return 1
    has "$(token=wang.token call POST /v1/routes/R1/day/dispute '{"date":"2026-03-29","point":"A","note":"customer says 24500"}')" $'\n201' '"state":"open"' '"by":"wang"' || return 1
    has "$(call POST /v1/routes/R1/day/dispute '{"date":"2026-03-29","point":"A","note":"again"}')" $'\n409' wang || return 1
    is disputed "$(sheet R1 --date 2026-03-29 | of A state)" || return 1
    has "$(token=wang.token call POST /v1/routes/R1/day/sign "$note")" $'\n409' 'A (disputed)' || return 1
    has "$(token=wang.token call POST /v1/routes/R1/day/resolve '{"date":"2026-03-29","point":"A","note":"x"}')" $'\n403' || return 1
    exits 0 nilo route resolve R1 A --date 2026-03-29 --note 'photo shows 24650' || return 1
    has "$(sheet R1 --date 2026-03-29 | of A state dispute)" 'ok ' resolved 'photo shows 24650' 'customer says'
}

what_is_signed_is_a_fact_with_a_digest() {
    said=$(token=wang.token call POST /v1/routes/R1/day/sign "$note" -H 'Idempotency-Key: s1')
    has "$said" $'\n201' '"signed_by":"wang"' '"points":7' '"ok":2,"missing":3,"odd":2' || return 1
    is "$said" "$(token=wang.token call POST /v1/routes/R1/day/sign "$note" -H 'Idempotency-Key: s1')" || return 1
    has "$(call POST /v1/routes/R1/day/sign "$note")" $'\n409' wang || return 1
    sheet R1 --date 2026-03-29 > signed
    is 'signed ok wang null false' "$(of A state was signed_by remark changed_since_signed < signed)" && is 'signed missing silent door locked' "$(of C state was reason remark < signed)" || return 1
    python3 - "$(sed -nE 's/.*"digest":"([0-9a-f]*)".*/\1/p' <<< "$said")" <<'END'
import hashlib, json, sys
sha = hashlib.sha256()
for row in map(json.loads, open('signed')):
    line = {k: row.get('was' if k == 'state' else k) for k in 'point serial remote_l remote_at manual_l manual_at use_l check_inputs state reason remark'.split() if k != 'check_inputs' or row.get(k)}
    sha.update(json.dumps(line, ensure_ascii=False, separators=(',', ':')).encode() + b'\n')
sys.exit(0 if sha.hexdigest() == sys.argv[1] else f'      digest {sha.hexdigest()}')
END
}

what_comes_late_shows_and_changes_nothing_signed() {
    printf 'serial,time,index_l\nMC,2026-03-29T00:00:00+01:00,24600\n' | nilo import readings - > /dev/null && nilo settle || return 1
    call POST /v1/points '{"point":"F","route":"R2"}' > /dev/null # left the route since
    kill -9 "$nilod" && { wait "$nilod"; nilod_start --tz Europe/Madrid --virtual-clock 2026-03-29T13:00:00+02:00; } 2> /dev/null || return 1
    sheet R1 --date 2026-03-29 > late
    is 'signed null silent true' "$(of C state remote_l reason changed_since_signed < late)" && has "$(of C now < late)" 24600 || return 1
    is 'signed false' "$(of A state changed_since_signed < late)" && is 'signed 24600' "$(of B state remote_l < late)" && is signed "$(of F state < late)" || return 1
    has "$(nilo audit list --format ndjson)" '"what":"route.sign"' '"what":"route.dispute"' '"what":"route.resolve"' 'as walked'
}

of_two_who_sign_at_once_one_does() {
    local i
    for i in 1 2 3 4; do call POST /v1/routes/R1/day/sign '{"date":"2026-03-01","remarks":[{"point":"D","remark":"-"},{"point":"G","remark":"-"}]}' | tail -1 > "answer$i" & done
    # shellcheck disable=SC2046 # one job a word
    wait $(jobs -p | grep -v "^$nilod\$")
    is '201 409 409 409 ' "$(sort answer[1-4] | tr '\n' ' ')"
}

# MH stands at 24 600 L and uses 200 L a day.
a_read_out_of_range_is_asked_for_again_without_the_last_read() {
    local body='{"point":"H","at":"2026-03-29T12:30:00+02:00","index_l":25'
    has "$(token=wang.token call POST /v1/reads "${body/25/24700}}")" $'\n403' li wang || return 1
    said=$(token=li.token call POST /v1/reads "$body}")
    has "$said" $'\n422' '"field":"index_l"' 'cubic metres' confirm && [[ $said != *24600* && $said != *24800* ]] || return 1
    has "$(call POST /v1/reads "$body}")" $'\n422' 'cubic metres' || return 1 # nor from the office
    said=$(token=li.token call POST /v1/reads "${body/25/95000}}")
    has "$said" $'\n422' 'outside' && [[ $said != *24600* && $said != *24800* ]] || return 1
    has "$(token=crew.token call POST /v1/reads "${body/25/9000}}")" $'\n422' 'outside' || return 1
    has "$(token=li.token call POST /v1/reads "${body/25/24700},\"confirm\":\"yes\"}")" $'\n422' '"field":"confirm"' || return 1
    [[ $(nilo reading list MH --from 2026-03-29T00:00:00Z --to 2026-03-30T00:00:00Z --format csv | wc -l) == 1 ]] || { echo "      a refused read was kept"; return 1; }
    has "$(token=li.token call POST /v1/reads "${body/25/24700}}")" $'\n201' '"warnings":[]' || return 1
    has "$(token=li.token call POST /v1/reads "${body/25/24700}}")" $'\n200' || return 1
    is 'ok 24700' "$(sheet R2 --date 2026-03-29 | of H state manual_l)"
}

what_is_confirmed_is_kept_and_disputed() {
    said=$(token=li.token call POST /v1/reads '{"point":"H","at":"2026-03-29T12:40:00+02:00","index_l":95000,"confirm":true}')
    has "$said" $'\n201' out-of-range || return 1
    is disputed "$(sheet R2 --date 2026-03-29 | of H state)" && has "$(sheet R2 --date 2026-03-29 | of H dispute)" li 95000 confirmed || return 1
    has "$(nilo reading list MH --from 2026-03-29T00:00:00Z --to 2026-03-30T00:00:00Z --format csv)" 95000 ceiling || return 1
    has "$(call POST /v1/reads '{"point":"F","at":"2026-03-29T12:00:00+02:00","index_l":99000}')" $'\n201' out-of-range # the office sees the readings
}

a_file_of_reads_is_taken_row_by_row() {
    printf 'point,index_l,at,photo\nA,24660,2026-03-29T12:31:00+02:00,p7.jpg\nA,25,2026-03-29T12:32:00+02:00,\nnowhere,1,,\n"B",x,,\n' > reads.csv
    exits 1 nilo read import reads.csv || return 1
    has "$said" '"rows":4,"written":1,"unchanged":0,"refused":3' 'line 3: index_l' 'line 4: point' 'line 5: index_l' || return 1
    exits 1 nilo read import reads.csv && has "$said" '"written":0,"unchanged":1' || return 1
    printf '{"point":"A","index_l":24661,"at":"2026-03-29T12:33:00+02:00"}\n' > reads.ndjson
    exits 0 nilo read import reads.ndjson && has "$(sheet R1 --date 2026-03-29 | of A now)" 24661 || return 1
    exits 1 nilo read import orgs.csv && has "$said" org || return 1
    exits 0 nilo read add A --index 24662 --at 2026-03-29T12:34:00+02:00 && has "$said" 24662 MA
}

who_is_read_again_follows_from_a_seed() {
    local drawn body
    nilo route sample R1 --date 2026-03-29 --format ndjson | sed '$d' > sample
    drawn=$(python3 - <<'END'
import hashlib, json
rows = [r for r in map(json.loads, open('signed')) if r.get('remote_l') or r.get('manual_l')]
print(min((r['point'] for r in rows), key=lambda p: hashlib.sha256(f'R1:2026-03-29:team:{p}'.encode()).hexdigest()))
END
    )
    is 1 "$(wc -l < sample)" && is "1 R1:2026-03-29:team null null" "$(of "$drawn" rank seed read_l agrees < sample)" || return 1
    body='{"date":"2026-03-29","point":"'$drawn'","index_l":'
    has "$(token=wang.token call POST /v1/routes/R1/day/recheck "${body}5}")" $'\n403' wang || return 1
    has "$(token=north.token call POST /v1/routes/R1/day/recheck "${body}5}")" $'\n403' || return 1
    has "$(call POST /v1/routes/R1/day/recheck '{"date":"2026-03-29","point":"C","index_l":5}')" $'\n409' 'not drawn' R1:2026-03-29:team || return 1
    has "$(call POST /v1/routes/R1/day/recheck "${body}5,\"level\":\"county\"}")" $'\n422' '"field":"level"' || return 1
    has "$(call POST /v1/routes/R1/day/recheck "${body}5,\"at\":\"2026-03-01T00:00:00Z\"}")" $'\n422' '"field":"at"' || return 1
    said=$(call POST /v1/routes/R1/day/recheck "${body}5}")
    has "$said" $'\n201' '"agrees":false' && has "$(call POST /v1/routes/R1/day/recheck "${body}5}")" $'\n409' already || return 1
    # The company draws from another seed; its re-read stands beside the team's.
    nilo route sample R1 --date 2026-03-29 --level company --format ndjson | sed '$d' > company
    point=$(python3 -c 'import json; print(json.loads(open("company").readline())["point"])')
    exits 0 nilo route recheck R1 "$point" --date 2026-03-29 --level company --index "$(python3 - "$point" <<'END'
import json, sys
r = [r for r in map(json.loads, open('signed')) if r['point'] == sys.argv[1]][0]
print(r.get('manual_l') or r['remote_l'])
END
    )" && has "$said" '"agrees":true' || return 1
    is "false admin" "$(nilo route sample R1 --date 2026-03-29 --format ndjson | sed '$d' | of "$drawn" agrees recheck_by)"
}

# Of two re-reads, one by team that deviates and one for the company that agrees.
how_right_reads_are_is_counted_by_reader_route_and_level() {
    nilo route rechecks --format ndjson | sed '$d' > rechecks
    is '2026-03-29 R1 team wang admin False 2026-03-29 R1 company wang admin True' "$(python3 -c 'import json
print(*[r[k] for r in map(json.loads,open("rechecks")) for k in ("date","route","level","reader","recheck_by","agrees")])')" || return 1
    accuracy() { nilo route accuracy "$@" --format ndjson | python3 -c 'import json,sys; print(*[r[k] for r in map(json.loads,sys.stdin) if "end" not in r for k in ("name","reread","agreeing","deviating","accuracy_pct")])'; }
    is 'wang 2 1 1 50.0' "$(accuracy)" && is 'R1 2 1 1 50.0' "$(accuracy --by route)" && is 'company 1 1 0 100.0 team 1 0 1 0.0' "$(accuracy --by level)" || return 1
    is '' "$(accuracy --to 2026-03-28)" && is 'wang 1 0 1 0.0' "$(accuracy --level team --route R1)" && is '' "$(accuracy --route R2)" || return 1
    has "$(call GET '/v1/routes/rechecks?limit=1')" '"level":"team"' '"next":"' || return 1
    has "$(call GET '/v1/routes/rechecks?limit=1&after='"$(call GET '/v1/routes/rechecks?limit=1' | sed -nE 's/.*"next":"([^"]+)".*/\1/p')")" '"level":"company"' '"next":null' || return 1
    is '["F"]' "$(token=south.token call GET /v1/routes/rechecks | head -1 | python3 -c 'import json,sys; print(json.dumps([r["point"] for r in json.load(sys.stdin)["rows"]]))')" || return 1 # F stands on R2 by now
    is '{"rows":[],"next":null}' "$(token=south.token call GET /v1/routes/accuracy | head -1)" || return 1 # it was a route of others that was read
    has "$(call GET '/v1/routes/accuracy?by=mood')" $'\n422' '"field":"by"' && has "$(call GET '/v1/routes/accuracy?route=R9')" $'\n404' || return 1
    has "$(call GET '/v1/routes/rechecks?level=county')" $'\n422' '"field":"level"'
}

readers_rotate_after_a_year() {
    call POST /v1/routes '{"route":"R3","org":"NORTH","reader":"zhao","days":"1,15"}' > /dev/null
    nilo route rotation --format ndjson | sed '$d' > turns
    turn() { python3 -c 'import json,sys; print(*[[r.get(k) for k in ("reader","since","overdue","proposal")] for r in map(json.loads,open("turns")) if r["route"]==sys.argv[1]])' "$1"; }
    has "$(turn R1)" "['wang', '2026-03-29T" "False, None" && has "$(turn R3)" "['zhao', '2026-04-04T" && is "['li', None, None, None]" "$(turn R2)" || return 1
    nilo clock set 2027-05-01T00:00:00+02:00 > /dev/null
    nilo route rotation --format ndjson | sed '$d' > turns
    has "$(turn R1)" "True, 'zhao'" && has "$(turn R3)" "True, 'wang'" || return 1
    is '{"rows":[],"next":null}' "$(token=south.token call GET '/v1/routes/rotation?limit=9' | head -1 | sed 's/"rows":\[{"route":"R2"[^]]*\]/"rows":[]/')"
}

signed_days_are_listed_with_their_digests() {
    nilo route signed R1 --format ndjson | sed '$d' > days
    is '2026-03-01 admin 2026-03-29 wang' "$(python3 -c 'import json; print(*[x for r in map(json.loads,open("days")) for x in (r["date"],r["signed_by"])])')" || return 1
    is '7 2 3 2' "$(python3 -c 'import json; r=json.loads(open("days").readlines()[1]); print(r["points"],r["ok"],r["missing"],r["odd"])')" || return 1
    has "$(call GET '/v1/routes/R1/signed?limit=1')" '"date":"2026-03-01"' '"next":"' && is 1 "$(nilo route signed R1 --from 2026-03-02 --format ndjson | sed '$d' | wc -l)" || return 1
    has "$(call GET '/v1/routes/R1/signed?limit=1&after='"$(call GET '/v1/routes/R1/signed?limit=1' | sed -nE 's/.*"next":"([^"]+)".*/\1/p')")" '"date":"2026-03-29"' '"next":null' || return 1
    has "$(call GET /v1/routes/R9/signed)" $'\n404' && has "$(call GET '/v1/routes/R1/signed?from=x')" $'\n422' && has "$(token=north.token call GET /v1/routes/R2/signed)" $'\n403'
}

# Frames: K1 and K2 go silent, K3 goes on; then K3 goes silent, too.
most_of_a_silent_cell_is_an_outage() {
    local m
    printf 'route,days\nRK,daily\n' | nilo import routes - > /dev/null
    { echo serial,dn,q3; for m in 1 2 3; do echo "K$m,15,2.5"; done; } | nilo import meters - > /dev/null
    { echo point,route; for m in 1 2 3; do echo "K$m,RK"; done; } | nilo import points - > /dev/null
    { echo point,serial,from,start_index_l; for m in 1 2 3; do echo "K$m,K$m,2026-03-01T00:00:00Z,0"; done; } | nilo import fittings - > /dev/null
    for m in 1 2; do report K$m || return 1; done
    nilo clock set 2026-04-02T00:00:00+02:00 > /dev/null
    report K3 || return 1
    nilo settle
    sheet RK --date 2026-04-02 > rows
    is 'outage outage null' "$(of K1 reason < rows) $(of K2 reason < rows) $(of K3 reason < rows)" || return 1
    printf 'point,route\nK2,R4\n' | nilo import points - > /dev/null # two meters are no cell
    is silent "$(sheet RK --date 2026-04-02 | of K1 reason)"
}
# Three meters that one gateway heard go silent together; the fourth was heard by another.
most_of_a_silent_gateway_is_the_gateways_fault() {
    local m gateway
    printf 'route,days\nRG,daily\n' | nilo import routes - > /dev/null
    { echo serial,dn,q3,dialect,radio_id; for m in 1 2 3 4; do echo "L$m,15,2.5,chirpstack,000000000000000$m"; done; } | nilo import meters - > /dev/null
    { echo point,route; for m in 1 2 3 4; do echo "L$m,RG"; done; } | nilo import points - > /dev/null
    { echo point,serial,from,start_index_l; for m in 1 2 3 4; do echo "L$m,L$m,2026-03-01T00:00:00Z,0"; done; } | nilo import fittings - > /dev/null
    for m in 1 2 3 4; do
        gateway=0016c001f1500812
        [[ $m != 4 ]] || gateway=0016c001f1500999
        has "$(call POST '/v1/ingest/chirpstack?event=up' '{"deduplicationId":"d'$m'","time":"2026-04-01T22:00:00Z","deviceInfo":{"devEui":"000000000000000'$m'"},"fCnt":1,"rxInfo":[{"gatewayId":"'$gateway'","rssi":-70,"snr":9}]}')" $'\n20' || return 1
    done
    nilo settle
    has "$(call GET /v1/meters/L1)" '"gateway":"71500812"' || return 1
    nilo clock set 2026-04-05T00:00:00+02:00 > /dev/null
    sheet RG --date 2026-04-05 > rows
    is 'missing gateway missing silent' "$(of L1 state reason < rows) $(of L4 state reason < rows)" && has "$(of L2 reason_en reason_zh < rows)" 'look at the gateway' '先查网关'
}
# A native report of cell 77 with a register of 5 L, as of now.
report() {
    python3 - "$coap" "$1" "$(nilo clock show --format json)" <<'END'
import json, re, socket, struct, sys
from datetime import datetime
def varint(n):
    out = b''
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])
def field(n, kind, body): return varint(n << 3 | kind) + body
now = json.loads(sys.argv[3])['now']
sent = int(datetime.fromisoformat(now.replace('Z', '+00:00')).timestamp())
series = field(3, 0, varint(10))  # index 5, zigzag
body = field(1, 2, varint(len(sys.argv[2])) + sys.argv[2].encode()) + field(3, 5, struct.pack('<I', sent)) + field(4, 2, varint(len(series)) + series) + field(9, 0, varint(77))
host, port = sys.argv[1].rsplit(':', 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(bytes([0x41, 2, 0, int(sys.argv[2][1:]), 9, 0xb1]) + b'r\xff' + body, (host, int(port)))
answer = s.recv(2000)
sys.exit(0 if answer[1] == 0x44 else f'{answer.hex()}')
END
}

the_store_is_whole() {
    exits 0 nilo store check --store store && exits 0 nilo audit verify
}

nilod_start --tz Europe/Madrid --virtual-clock 2026-03-29T12:00:00+02:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
nilo token create --role reader --name wang > wang.token
nilo token create --role reader --name li > li.token
nilo token create --role crew --name crew > crew.token
nilo token create --role viewer --name south --org SOUTH > south.token
nilo token create --role viewer --name north --org NORTH > north.token
hold every_point_stands_in_walking_order_with_its_cause pages_hold_the_same_rows what_cannot_be_asked_is_refused days_have_23_and_25_hours \
    a_route_is_due_on_its_days a_dial_beyond_the_tolerance_is_out_of_step who_is_to_read_blindly_sees_no_figures \
    signing_names_who_may_and_what_is_not_in_order a_dispute_stands_until_a_supervisor_resolves_it what_is_signed_is_a_fact_with_a_digest \
    what_comes_late_shows_and_changes_nothing_signed of_two_who_sign_at_once_one_does signed_days_are_listed_with_their_digests \
    a_read_out_of_range_is_asked_for_again_without_the_last_read what_is_confirmed_is_kept_and_disputed a_file_of_reads_is_taken_row_by_row most_of_a_silent_cell_is_an_outage most_of_a_silent_gateway_is_the_gateways_fault \
    who_is_read_again_follows_from_a_seed how_right_reads_are_is_counted_by_reader_route_and_level readers_rotate_after_a_year the_store_is_whole
hold_end
