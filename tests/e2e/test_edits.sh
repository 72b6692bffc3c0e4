#!/usr/bin/env bash
# What a person says a dial stood at, over a real nilod: who may, what it changes, and that two see what moves much. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# ask PATH, tell PATH BODY [CURL OPTION…]: the body and the status, with the token in the file $token, the administrator's without it.
token=''
ask() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" "$NILO_SERVER$1"; }
tell() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -H 'Content-Type: application/json' -d "$2" "${@:3}" "$NILO_SERVER$1"; }
# of JSON EXPRESSION: a Python expression over the answer `a`.
of() { sed '$d' <<< "$1" | python3 -c 'import json,sys
a=json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"; }
readings() { { echo serial,time,index_l,source; printf '%s\n' "$@"; } | nilo import readings - > /dev/null && nilo settle; }
# use POINT FROM TO: litres, quality and method between two days of 2026 (month-day) at +08:00.
use() { of "$(ask "/v1/points/$1/consumption?from=2026-$2T00:00:00%2B08:00&to=2026-$3T00:00:00%2B08:00")" '"%s %s %s" % (a["consumption_l"], a["quality"], a["method"])'; }
# edit POINT DAY LITRES [REASON]; its id stands in $id.
edit() { said=$(tell "/v1/points/$1/edits" "{\"at\":\"2026-$2T00:00:00+08:00\",\"index_l\":$3,\"reason\":\"${4:-seen on a photo}\"}"); id=$(of "$said" 'a.get("id")'); }
state() { of "$(ask "/v1/edits?limit=1000")" '[r["state"] for r in a["rows"] if r["id"]=='"$1"'][0]'; }

world() {
    printf 'org\nNORTH\nSOUTH\n' | nilo import orgs - && printf 'route,org\nR1,NORTH\nR2,SOUTH\n' | nilo import routes -
    { echo serial,dn,q3,digits; for p in A B C D E F G; do echo "m$p,15,2.5,4"; done; } | nilo import meters -
    { echo point,account,route; for p in A B C D E F; do echo "$p,A-$p,R1"; done; echo G,A-G,R2; echo H,A-H,R1; } | nilo import points -
    { echo point,serial,from,to,start_index_l,end_index_l; for p in A B C D F G; do echo "$p,m$p,2026-02-01T00:00:00+08:00,,0,"; done
      echo E,mE,2026-02-01T00:00:00+08:00,2026-03-20T00:00:00+08:00,0,40000; } | nilo import fittings -
    for t in ann:billing: ben:billing: vic:viewer: sue:billing:SOUTH; do IFS=: read -r n role org <<< "$t"; nilo token create --role "$role" --name "$n" ${org:+--org "$org"} > "$n.token"; done
    # 10 000 L by 1 March, 200 L a day from then on, read on the 1st, 11th, 21st and 31st.
    for p in A B C D E F G; do for r in 03-01:10000 03-11:12000 03-21:14000 03-31:16000; do [[ $p == E && $r > 03-15 ]] || echo "m$p,2026-${r%:*}T00:00:00+08:00,${r#*:},remote"; done; done > rows
    mapfile -t rows < rows && readings "${rows[@]}"
}

a_small_edit_holds_at_once_and_both_sides_share_it() {
    is '1000 estimated interpolated' "$(use A 03-01 03-06)" || return 1
    token=ann.token edit A 03-06 10900
    has "$said" $'\n201' '"state":"in-force"' '"delta_l":-100' '"takes_two":false' '"asked_by":"ann' '"instead_l":null' || return 1
    is '900 edited read' "$(use A 03-01 03-06)" && is '1100 edited read' "$(use A 03-06 03-11)" && is '2000 actual read' "$(use A 03-01 03-11)" || return 1
    # Who and why stands beside each part that rests on it, and in what explains it.
    said=$(ask '/v1/points/A/consumption?from=2026-03-01T00:00:00%2B08:00&to=2026-03-06T00:00:00%2B08:00&explain=1')
    is 'ann seen on a photo 10900' "$(of "$said" '"%s %s %s" % (lambda e: (e["asked_by"].split(" ")[0], e["reason"], e["index_l"]))(a["parts"][0]["edits"][0])')" || return 1
    is 'C1 edit ann' "$(of "$said" '(lambda e: "%s %s %s" % (e["rule"], e["before"]["source"], e["before"]["edit"]["asked_by"].split(" ")[0]))(a["explain"]["parts"][0]["end"])')" && has "$said" '以人工更正的示数为准' || return 1
    # Readings are listed as they came.
    is 10000,12000,14000,16000 "$(of "$(ask '/v1/meters/mA/readings?from=2026-01-01T00:00:00Z&to=2026-05-01T00:00:00Z')" '",".join(str(r["index_l"]) for r in a["rows"])')"
}

a_day_sheet_goes_by_edits_in_what_was_used_and_by_readings_in_what_was_read() {
    local day
    for day in 01 06 08 11 12; do
        said=$(ask "/v1/routes/R1/day?date=2026-03-$day&limit=100") from=$(of "$said" '[r["use_from"] for r in a["rows"] if r["point"]=="A"][0]')
        is "$(of "$(ask "/v1/points/A/consumption?from=$from&to=2026-03-${day}T00:00:00%2B08:00")" 'a["consumption_l"]')" "$(of "$said" '[r["use_l"] for r in a["rows"] if r["point"]=="A"][0]')" || return 1
    done
    said=$(ask '/v1/routes/R1/day?date=2026-03-06&limit=100') && is 'None None, None None' "$(of "$said" '", ".join("%s %s" % (r["remote_l"], r["manual_l"]) for r in a["rows"] if r["point"] in "AB")')" || return 1
    is '180 200' "$(of "$said" '" ".join("%g" % r["use_l"] for r in a["rows"] if r["point"] in "AB")')"
}

what_was_used_is_told_as_well_as_the_dial() {
    said=$(token=ann.token tell /v1/points/A/edits '{"from":"2026-03-11T00:00:00+08:00","to":"2026-03-15T00:00:00+08:00","consumption_l":650,"reason":"agreed"}')
    has "$said" $'\n201' '"index_l":12650' '"state":"in-force"' '"span_l":800' && is '650 edited read' "$(use A 03-11 03-15)" && is '1350 edited read' "$(use A 03-15 03-21)" || return 1
    # Where the begin hangs on the end, the litres would not come out.
    has "$(token=ann.token tell /v1/points/A/edits '{"from":"2026-03-23T00:00:00+08:00","to":"2026-03-25T00:00:00+08:00","consumption_l":500,"reason":"agreed"}')" $'\n422' '"field":"consumption_l"' 'moving the end' || return 1
    has "$(token=ann.token tell /v1/points/A/edits '{"from":"2026-03-23T00:00:00+08:00","to":"2026-03-25T00:00:00+08:00","consumption_l":500,"index_l":3,"reason":"agreed"}')" $'\n422' '"field":"consumption_l"'
}

what_moves_much_waits_for_another_person() {
    token=ann.token edit B 03-31 22000 'typed wrong'
    has "$said" $'\n201' '"state":"waiting"' '"takes_two":true' '"delta_l":6000' '"instead_l":16000' && is '2000 actual read' "$(use B 03-21 03-31)" || return 1
    said=$(token=ann.token tell "/v1/edits/$id/approve" '{"note":"me too"}') && has "$said" $'\n403' 'second person' && is waiting "$(state "$id")" || return 1
    said=$(token=vic.token tell "/v1/edits/$id/approve" '{}') && has "$said" $'\n403' viewer || return 1
    said=$(token=ben.token tell "/v1/edits/$id/approve" '{"note":"saw it"}') && has "$said" $'\n200' '"state":"in-force"' '"decided_by":"ben' '"note":"saw it"' || return 1
    is '8000 edited read' "$(use B 03-21 03-31)" || return 1
    has "$(ask '/v1/points/B/consumption?from=2026-03-21T00:00:00%2B08:00&to=2026-03-31T00:00:00%2B08:00')" '"approved_by":"ben' || return 1
    has "$(token=ben.token tell "/v1/edits/$id/approve" '{}')" $'\n409' in-force && has "$(token=ben.token tell "/v1/edits/$id/refuse" '{}')" $'\n409' || return 1
    # More than half of what was used in the month before is much, too; and what nobody knows.
    token=ann.token edit C 02-05 1000 && has "$said" '"takes_two":false' || return 1
    token=ann.token edit C 02-10 1200 && has "$said" '"state":"waiting"' '"takes_two":true' || return 1
    said=$(token=ann.token tell "/v1/edits/$id/refuse" '{"note":"never mind"}') && has "$said" $'\n200' '"state":"refused"' && has "$(token=ben.token tell "/v1/edits/$id/approve" '{}')" $'\n409' refused
}

a_span_that_is_told_is_no_way_around_the_limit() {
    # 6 000 L in the month before, 16 000 since the meter came: 3 500 more are over half of the one, not of the other.
    local told
    for told in '"at":"2026-03-31T00:00:00+08:00","index_l":19500' '"from":"2026-02-01T00:00:00+08:00","at":"2026-03-31T00:00:00+08:00","index_l":19500' \
        '"from":"2026-02-01T00:00:00+08:00","to":"2026-03-31T00:00:00+08:00","consumption_l":19500'; do
        said=$(token=ann.token tell /v1/points/F/edits "{$told,\"reason\":\"seen\"}")
        has "$said" $'\n201' '"delta_l":3500' '"takes_two":true' '"state":"waiting"' || return 1
        has "$(token=ann.token tell "/v1/edits/$(of "$said" 'a["id"]')/refuse" '{"note":"tried"}')" $'\n200' || return 1
    done
    is '6000 actual read' "$(use F 03-01 03-31)"
}

many_small_edits_are_as_one_large() {
    local second
    token=ann.token edit F 03-02 11900 && has "$said" $'\n201' '"delta_l":1700' '"takes_two":false' '"state":"in-force"' || return 1
    token=ann.token edit F 03-12 13900 && has "$said" $'\n201' '"delta_l":1700' '"state":"in-force"' && second=$id || return 1
    # 5 100 L in all, where one person alone may move 5 000, and by another no less.
    token=ben.token edit F 03-22 15900 && has "$said" $'\n201' '"delta_l":1700' '"takes_two":true' '"state":"waiting"' || return 1
    has "$(token=ben.token tell "/v1/edits/$id/refuse" '{"note":"tried"}')" $'\n200' && has "$(token=ann.token tell "/v1/edits/$second/undo" '{"reason":"no photo"}')" '"state":"undone"' || return 1
    # What was taken back counts no more.
    token=ben.token edit F 03-22 15900 && has "$said" $'\n201' '"takes_two":false' '"state":"in-force"' || return 1
    for id in $(of "$(ask '/v1/edits?point=F&state=in-force')" '" ".join(str(r["id"]) for r in a["rows"])'); do has "$(tell "/v1/edits/$id/undo" '{"reason":"tried"}')" '"state":"undone"' || return 1; done
    is '6000 actual read' "$(use F 03-01 03-31)"
}

what_took_two_is_taken_back_by_two() {
    token=ann.token edit B 03-05 17500 && has "$said" $'\n422' || return 1
    id=$(of "$(ask '/v1/edits?point=B&state=in-force')" 'a["rows"][0]["id"]')
    has "$(token=ben.token tell "/v1/edits/$id/undo" '{}')" $'\n422' '"field":"reason"' || return 1
    said=$(token=ben.token tell "/v1/edits/$id/undo" '{"reason":"was right"}') && has "$said" $'\n200' '"state":"undo-waiting"' && is '8000 edited read' "$(use B 03-21 03-31)" || return 1
    has "$(token=ben.token tell "/v1/edits/$id/approve" '{}')" $'\n403' && said=$(token=ann.token tell "/v1/edits/$id/refuse" '{"note":"no"}') && has "$said" '"state":"in-force"' '"undone_by":"ann' || return 1
    has "$(token=ben.token tell "/v1/edits/$id/undo" '{"reason":"truly"}')" undo-waiting && has "$(token=ann.token tell "/v1/edits/$id/approve" '{}')" $'\n200' '"state":"undone"' || return 1
    is '2000 actual read' "$(use B 03-21 03-31)" && has "$(token=ann.token tell "/v1/edits/$id/undo" '{"reason":"again"}')" $'\n409' || return 1
    # What one person did, one takes back, and nothing of it is gone.
    id=$(of "$(ask '/v1/edits?point=A')" 'a["rows"][0]["id"]')
    has "$(token=ben.token tell "/v1/edits/$id/undo" '{"reason":"no photo"}')" '"state":"undone"' '"undo_by":"ben' '"undone_by":"ben' && is '1000 estimated interpolated' "$(use A 03-01 03-06)" || return 1
    has "$(nilo audit list --format ndjson)" '"what":"edit.asked"' '"what":"edit.approved"' '"what":"edit.refused"' '"what":"edit.undone"'
}

what_cannot_be_is_refused_and_changes_nothing() {
    before=$(ask '/v1/edits?limit=1000')
    local at='"at":"2026-03-06T00:00:00+08:00"'
    has "$(token=vic.token tell /v1/points/D/edits "{$at,\"index_l\":11000,\"reason\":\"x\"}")" $'\n403' viewer && has "$(tell /v1/points/NONE/edits "{$at,\"index_l\":11000,\"reason\":\"x\"}")" $'\n404' || return 1
    has "$(tell /v1/points/D/edits "{$at,\"index_l\":11000,\"reason\":\"x\",\"serial\":\"none\"}")" $'\n404' '"field":"serial"' && has "$(tell /v1/points/D/edits "{$at,\"index_l\":11000,\"reason\":\"x\",\"serial\":\"mA\"}")" $'\n409' '"field":"serial"' || return 1
    has "$(tell /v1/points/D/edits "{$at,\"index_l\":11000}")" $'\n422' '"field":"reason"' && has "$(tell /v1/points/D/edits "{$at,\"reason\":\"x\"}")" $'\n422' '"field":"index_l"' || return 1
    has "$(tell /v1/points/D/edits '{"index_l":11000,"reason":"x"}')" $'\n422' '"field":"at"' && has "$(tell /v1/points/D/edits '{"at":"2026-04-20T00:00:00+08:00","index_l":11000,"reason":"x"}')" $'\n422' '"field":"at"' || return 1
    has "$(tell /v1/points/D/edits "{$at,\"index_l\":11000,\"reason\":\"x\",\"more\":1}")" $'\n422' '"field":"more"' && has "$(tell /v1/points/D/edits "{$at,\"index_l\":10000000,\"reason\":\"x\"}")" $'\n422' 'passes zero' || return 1
    has "$(tell /v1/points/D/edits "{$at,\"index_l\":-1,\"reason\":\"x\"}")" $'\n422' && has "$(tell /v1/points/D/edits "{$at,\"index_l\":11000,\"reason\":\"$(printf 'x%.0s' {1..401})\"}")" $'\n422' '"field":"reason"' || return 1
    # Where a meter came or went its own index stands; before and after there is none.
    has "$(tell /v1/points/E/edits '{"at":"2026-03-20T00:00:00+08:00","index_l":39000,"reason":"x"}')" $'\n409' 'exchange' && has "$(tell /v1/points/E/edits '{"at":"2026-03-25T00:00:00+08:00","index_l":39000,"reason":"x"}')" $'\n409' 'no meter' && has "$(tell /v1/points/H/edits "{$at,\"index_l\":1,\"reason\":\"x\"}")" $'\n409' || return 1
    # What the readings around it contradict: below what was read before, above what is read twice afterwards.
    has "$(tell /v1/points/D/edits "{$at,\"index_l\":9000,\"reason\":\"x\"}")" $'\n422' '"field":"index_l"' '10000 at 2026-02-28T16:00:00Z' fall && has "$(tell /v1/points/D/edits "{$at,\"index_l\":13000,\"reason\":\"x\"}")" $'\n422' '12000 at 2026-03-10T16:00:00Z' peak || return 1
    has "$(tell /v1/points/D/edits '{"at":"2026-03-11T00:00:00+08:00","index_l":12000,"reason":"x"}')" $'\n422' 'already' || return 1
    has "$(ask '/v1/edits?state=odd')" $'\n422' '"field":"state"' && has "$(ask '/v1/edits?point=none')" $'\n404' && has "$(tell /v1/edits/99/approve '{}')" $'\n404' && has "$(tell /v1/edits/x/undo '{"reason":"x"}')" $'\n404' || return 1
    is "$before" "$(ask '/v1/edits?limit=1000')"
}

one_edit_an_instant_and_a_key_says_it_once() {
    said=$(token=ann.token tell /v1/points/D/edits '{"at":"2026-03-06T00:00:00+08:00","index_l":11050,"reason":"x"}' -H 'Idempotency-Key: e1') && has "$said" $'\n201' || return 1
    is "$said" "$(token=ann.token tell /v1/points/D/edits '{"at":"2026-03-06T00:00:00+08:00","index_l":11050,"reason":"x"}' -H 'Idempotency-Key: e1')" || return 1
    has "$(token=ann.token tell /v1/points/D/edits '{"at":"2026-03-06T00:00:00+08:00","index_l":11060,"reason":"x"}')" $'\n409' 'in-force'
}

a_reading_that_comes_later_goes_before_the_edit_unless_it_was_put_in_its_place() {
    token=ann.token edit F 03-06 10900 && has "$said" in-force || return 1
    readings mF,2026-03-06T00:00:00+08:00,11010,remote && is '1010 actual read' "$(use F 03-01 03-06)" || return 1
    # In place of the very reading: that one coming again changes nothing, another one does.
    token=ann.token edit F 03-21 13900 'smudged' && has "$said" '"instead_l":14000' in-force && is '1900 edited read' "$(use F 03-11 03-21)" || return 1
    readings mF,2026-03-21T00:00:00+08:00,14000,remote && is '1900 edited read' "$(use F 03-11 03-21)" || return 1
    readings mF,2026-03-21T00:00:00+08:00,13950,manual && is '1950 actual read' "$(use F 03-11 03-21)" || return 1
    # One that waits is held against what came meanwhile once more.
    token=ann.token edit F 03-26 20500 && has "$said" $'\n422' || return 1
    token=ann.token edit F 04-02 23000 && has "$said" '"state":"waiting"' && readings mF,2026-04-02T00:00:00+08:00,16400,remote || return 1
    has "$(token=ben.token tell "/v1/edits/$id/approve" '{}')" $'\n409' 16400 && has "$(token=ben.token tell "/v1/edits/$id/refuse" '{}')" '"state":"refused"'
}

what_readings_around_it_contradict_later_is_out() {
    token=ann.token edit D 04-03 17900 && has "$said" in-force && is '1900 edited read' "$(use D 03-31 04-03)" || return 1
    readings mD,2026-04-03T06:00:00+08:00,16620,remote mD,2026-04-03T12:00:00+08:00,16630,remote || return 1
    said=$(ask '/v1/points/D/consumption?from=2026-03-31T00:00:00%2B08:00&to=2026-04-03T00:00:00%2B08:00&explain=1')
    is 'estimated peak edit' "$(of "$said" '(lambda e: "%s %s %s" % (a["quality"], e["out"][0]["rule"], e["out"][0]["source"]))(a["explain"]["parts"][0]["end"])')"
}

adjusted() { of "$(ask '/v1/adjustments')" '", ".join("%s %s %s %s" % (r["point"], r["delta_l"], r["delta_m3"], r["reason"]) for r in a["rows"])'; }

what_waits_is_in_the_review_and_what_comes_after_closing_is_an_adjustment() {
    tell /v1/cycles '{"cycle":"03","from":"2026-03-01T00:00:00+08:00","to":"2026-03-31T00:00:00+08:00","routes":["R1"]}' > /dev/null
    token=ann.token edit A 03-31 22500 && has "$said" waiting || return 1
    is 'A edit-waiting' "$(of "$(ask '/v1/cycles/03/review?reason=edit-waiting')" '" ".join(r["point"] + " " + "+".join(x["reason"] for x in r["reasons"]) for r in a["rows"])')" || return 1
    has "$(ask /v1/cycles/03)" '"edits_waiting":1' && exits 0 nilo cycle queue 03 --reason edit-waiting || return 1
    # An edit in force is frozen as such.
    token=ann.token edit B 03-31 16300 && has "$said" in-force || return 1
    said=$(tell /v1/cycles/03/close '{}') && has "$said" $'\n200' '"edits_waiting":1' || return 1
    is 'A 6000 actual, B 6300 edited' "$(of "$(ask /v1/cycles/03/determinants)" '", ".join("%s %s %s" % (r["point"], r["consumption_l"], r["quality"]) for r in a["rows"] if r["point"] in "AB")')" || return 1
    said=$(token=ben.token tell "/v1/edits/$(of "$(ask '/v1/edits?point=A&state=waiting')" 'a["rows"][0]["id"]')/approve" '{}') && has "$said" cycle-closed 'cycle 03 is closed' && nilo settle || return 1
    is 'A 6500 6 edit' "$(adjusted)" || return 1
    # Taken back, and put right by a reading: each tells why.
    id=$(of "$(ask '/v1/edits?point=B&state=in-force')" 'a["rows"][0]["id"]')
    has "$(token=ann.token tell "/v1/edits/$id/undo" '{"reason":"x"}')" undone cycle-closed && nilo settle && is 'A 6500 6 edit, B -300 0 edit' "$(adjusted)" || return 1
    readings mB,2026-03-31T00:00:00+08:00,16100,manual && is 'A 6500 6 edit, B -300 0 edit, B 100 0 reading' "$(adjusted)" && has "$(ask /v1/adjustments)" 关账后有人更正
}

a_kill_or_a_rebuild_keeps_them() {
    before=$(ask '/v1/edits?limit=1000') said=$(adjusted)
    token=ann.token edit C 03-31 15900 && has "$id" '' && use=$(use C 03-21 03-31) && is '1900 edited read' "$use" || return 1
    before=$(ask '/v1/edits?limit=1000')
    kill -9 "$nilod" && { wait "$nilod"; nilod_start --virtual-clock 2026-04-05T00:00:00+08:00; } 2> /dev/null && nilo settle || return 1
    is "$before" "$(ask '/v1/edits?limit=1000')" && is "$use" "$(use C 03-21 03-31)" && has "$(adjusted)" 'C -100 -1 edit' || return 1
    said=$(adjusted)
    nilod_stop && nilo store check --store store > /dev/null && nilo store rebuild --store store > /dev/null || return 1
    nilod_start --virtual-clock 2026-04-05T01:00:00+08:00 && nilo settle && is "$before" "$(ask '/v1/edits?limit=1000')" && is "$use" "$(use C 03-21 03-31)" && is "$said" "$(adjusted)"
}

another_units_edits_are_not_told_and_not_touched() {
    has "$(token=sue.token tell /v1/points/A/edits '{"at":"2026-03-12T00:00:00+08:00","index_l":12100,"reason":"x"}')" $'\n403' SOUTH || return 1
    has "$(token=sue.token tell /v1/edits/1/undo '{"reason":"x"}')" $'\n403' SOUTH && has "$(token=sue.token ask '/v1/edits?point=A')" $'\n403' || return 1
    has "$(ask /v1/edits/1)" $'\n200' '"point":"A"' && has "$(token=sue.token ask /v1/edits/1)" $'\n403' SOUTH && has "$(ask /v1/edits/999)" $'\n404' || return 1
    token=sue.token edit G 03-12 12190 && has "$said" $'\n201' && is "G" "$(of "$(token=sue.token ask /v1/edits)" '" ".join(r["point"] for r in a["rows"])')"
}

limits_are_rows_of_the_list_of_prices() {
    printf 'item,of,money,source\nedit,m3,0.06,board\nedit,percent,100,board\n' | nilo import prices - > /dev/null
    token=ann.token edit G 03-13 12345 && has "$said" '"delta_l":-46.111' in-force || return 1
    token=ann.token edit G 03-16 12910 && has "$said" '"delta_l":-55.625' waiting || return 1
    printf 'item,of,money,source\nedit,m3,5,board\nedit,percent,50,board\n' | nilo import prices - > /dev/null
}

of_those_who_act_at_once_one_does() {
    local k pids=()
    for k in 1 2 3 4 5 6; do tell /v1/points/C/edits "{\"at\":\"2026-04-02T00:00:00+08:00\",\"index_l\":$((22500 + k)),\"reason\":\"at once\"}" > "made$k" & pids+=($!); done
    wait "${pids[@]}"
    is '1 5' "$(grep -lx 201 made? | wc -l) $(grep -lx 409 made? | wc -l)" || return 1
    id=$(of "$(ask '/v1/edits?point=C&state=waiting')" 'a["rows"][0]["id"]') pids=()
    for k in 1 2 3 4 5 6; do { if ((k % 2)); then token=ben.token tell "/v1/edits/$id/approve" '{}'; else token=ann.token tell "/v1/edits/$id/refuse" '{}'; fi; } > "made$k" & pids+=($!); done
    wait "${pids[@]}"
    is '1 5' "$(grep -lx 200 made? | wc -l) $(grep -lx 409 made? | wc -l)" && has 'in-force refused' "$(state "$id")"
}

nilo_does_it_all_and_lists_come_in_every_form() {
    exits 0 nilo edit create G --at 2026-03-25T00:00:00+08:00 --index 14790 --serial mG --reason photo && has "$said" in-force || return 1
    exits 0 nilo edit create G --from 2026-03-25T00:00:00+08:00 --to 2026-03-26T00:00:00+08:00 --consumption-l 300 --reason agreed && has "$said" waiting || return 1
    id=$(of "$(ask '/v1/edits?point=G&state=waiting')" 'a["rows"][-1]["id"]')
    exits 0 nilo edit approve "$id" --note ok --token-file ben.token && exits 1 nilo edit refuse "$id" && exits 0 nilo edit undo "$id" --reason wrong && exits 0 nilo edit list --point G --state undo-waiting && has "$said" agreed || return 1
    said=$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: text/csv' "$NILO_SERVER/v1/edits") && has "$said" 'id,state,text_en' 'undo-waiting' || return 1
    is 2 "$(of "$(ask '/v1/edits?limit=2')" 'len(a["rows"]) if a["next"] else 0')" || return 1
    for path in edits?after=ab edits?after=000000000000000100 notices?after=ab adjustments?after=ab rules?after=ab rules/high/versions?after=ab meters/mG/offsets?after=ab \
        meters/mG/commands?after=ab "accounts/A-G/consumption?from=2026-03-01T00:00:00Z&to=2026-03-05T00:00:00Z&step=day&after=ab"; do
        has "$(curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" "$NILO_SERVER/v1/$path")" $'\n422' || return 1
    done
    is 0 "$(of "$(ask '/v1/notices?after=ffffffffffffffff')" 'len(a["rows"])')" || return 1
    is "$(of "$(ask '/v1/edits?limit=1000')" '[r["id"] for r in a["rows"]]')" "$(python3 - "$NILO_SERVER" "$(cat "$NILO_TOKEN_FILE")" <<'PY'
import json, sys, urllib.request
ids, after = [], ''
while True:
    page = json.load(urllib.request.urlopen(urllib.request.Request(sys.argv[1] + '/v1/edits?limit=3' + after, headers={'Authorization': 'Bearer ' + sys.argv[2]})))
    ids += [r['id'] for r in page['rows']]
    if not page['next']: break
    after = '&after=' + page['next']
print(ids)
PY
)" && is 0 "$(of "$(ask '/v1/edits?since=2026-05-01T00:00:00Z')" 'len(a["rows"])')"
}

nilod_start --virtual-clock 2026-04-04T12:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold a_small_edit_holds_at_once_and_both_sides_share_it a_day_sheet_goes_by_edits_in_what_was_used_and_by_readings_in_what_was_read what_was_used_is_told_as_well_as_the_dial what_moves_much_waits_for_another_person a_span_that_is_told_is_no_way_around_the_limit \
    many_small_edits_are_as_one_large \
    what_took_two_is_taken_back_by_two what_cannot_be_is_refused_and_changes_nothing one_edit_an_instant_and_a_key_says_it_once \
    a_reading_that_comes_later_goes_before_the_edit_unless_it_was_put_in_its_place what_readings_around_it_contradict_later_is_out \
    what_waits_is_in_the_review_and_what_comes_after_closing_is_an_adjustment a_kill_or_a_rebuild_keeps_them \
    another_units_edits_are_not_told_and_not_touched limits_are_rows_of_the_list_of_prices of_those_who_act_at_once_one_does nilo_does_it_all_and_lists_come_in_every_form
hold_end
