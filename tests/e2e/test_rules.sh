#!/usr/bin/env bash
# The rules of validation: what they say, by which figures they judge from when on, what a verdict rests on. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# ask PATH: the body and the status, with the token in the file $token, the administrator's without it.
token=''
ask() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" "$NILO_SERVER$1"; }
tell() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -H 'Content-Type: application/json' -d "$2" "${@:3}" "$NILO_SERVER$1"; }
# of ANSWER EXPRESSION: a Python expression over the answer `a`.
of() { sed '$d' <<< "$1" | python3 -c 'import json,sys
a=json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"; }

# From 1 January on, at each midnight: H 400 L a day, but 1 000 L on 10 and 20 July; C (commercial) and B (DN 50) likewise; Z nothing since 1 July.
world() {
    printf 'zone\nZ1\n' | nilo import zones - && printf 'org\nNORTH\nSOUTH\n' | nilo import orgs - && printf 'route,org\nR1,NORTH\nR2,SOUTH\n' | nilo import routes -
    { echo serial,dn,q3,digits; echo mH,15,2.5,6; echo mC,15,2.5,6; echo mB,50,25,6; echo mZ,15,2.5,6; echo mS,15,2.5,6; } | nilo import meters -
    { echo point,account,route,use_class,zone; echo H,A-H,R1,residential,Z1; echo C,A-C,R1,commercial,; echo B,A-B,R1,residential,; echo Z,A-Z,R1,residential,; echo S,A-S,R2,residential,Z1; } | nilo import points -
    { echo point,serial,from,start_index_l; for p in H C B Z S; do echo "$p,m$p,2026-01-01T00:00:00+08:00,0"; done; } | nilo import fittings -
    python3 - > readings.csv <<'PY'
from datetime import datetime, timedelta
print('serial,time,index_l')
for p in 'HCBZS':
    v, at = 0, datetime(2026, 1, 1)
    while at < datetime(2026, 7, 15):
        use = 1000 if (at.month, at.day) in ((7, 10), (7, 20)) else 400
        if p == 'Z' and at >= datetime(2026, 7, 1): use = 0
        v, at = v + use, at + timedelta(1)
        print('m%s,%s+08:00,%d' % (p, at.isoformat(), v))
PY
    nilo import readings readings.csv && nilo settle
}
# checks POINT FIRST LAST: "DAY:check+check …" of the days of 2026 that have some.
checks() {
    of "$(ask "/v1/points/$1/consumption?from=2026-$2T00:00:00%2B08:00&to=2026-$3T00:00:00%2B08:00&step=day")" \
        '" ".join((lambda d: d.strftime("%m-%d"))(__import__("datetime").datetime.fromisoformat(r["from"].replace("Z","+00:00")) + __import__("datetime").timedelta(hours=8)) + ":" + "+".join(r["checks"]) for r in a["rows"] if r.get("checks"))'
}

the_table_tells_each_rule_with_its_figures() {
    said=$(ask /v1/rules)
    has "$said" $'\n200' || return 1
    is 'high low negative prolonged spike zero overload:off limit:off' "$(of "$said" '" ".join(r["rule"] + (":off" if r["state"] == "off" else "") for r in a["rows"] if r["adjustable"] and r["judges"] != "flag")')" || return 1
    has "$(of "$said" '" ".join(r["rule"] for r in a["rows"] if not r["adjustable"])')" future not-fitted conflict ceiling fall peak || return 1
    is '3 500 60 30' "$(of "$said" '" ".join(str(p["value"]) for r in a["rows"] if r["rule"] == "high" for p in r["parameters"])')" || return 1
    is '1.1 1.25 1' "$(of "$said" '" ".join(str(p["value"]) for r in a["rows"] if r["rule"] == "ceiling" for p in r["parameters"])')" || return 1
    is 'zero row True on 1 1' "$(of "$(ask /v1/rules/zero)" '"%s %s %s %s %s %s" % tuple(a[k] for k in ("rule", "judges", "adjustable", "state", "version", "versions"))')" || return 1
    has "$(ask /v1/rules/nonsense)" $'\n404' '"field":"rule"' && has "$(ask /v1/rules/nonsense/versions)" $'\n404' || return 1
    is '1 None' "$(of "$(ask /v1/rules/fall/versions)" '"%s %s" % (a["rows"][0]["version"], a["rows"][0]["from"])')" || return 1
    exits 0 nilo rule list && has "$said" high ceiling && exits 0 nilo rule show spike && has "$said" q3_share 2.8 && exits 0 nilo rule versions low && has "$said" 0.3
}

who_may_not_or_asks_wrongly_changes_nothing() {
    has "$(token=viewer.token tell /v1/rules/high '{"from":"2026-08-01"}')" $'\n403' && has "$(token=south.token tell /v1/rules/high '{"from":"2026-08-01"}')" $'\n403' || return 1
    has "$(tell /v1/rules/nonsense '{"from":"2026-08-01"}')" $'\n404' && has "$(tell /v1/rules/ceiling '{"from":"2026-08-01"}')" $'\n409' 'fixed' || return 1
    has "$(tell /v1/rules/high '{}')" $'\n422' '"field":"from"' && has "$(tell /v1/rules/high '{"from":"1 August"}')" $'\n422' '"field":"from"' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","parameters":{"factor":0.5}}')" $'\n422' '"field":"factor"' '1 to 100' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","parameters":{"factor":"lots"}}')" $'\n422' '"field":"factor"' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","parameters":{"faktor":2}}')" $'\n422' '"field":"parameters"' 'factor, floor_l, days, days_least' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","parameters":{"days":20}}')" $'\n422' '"field":"days_least"' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","use_class":"castle"}')" $'\n422' '"field":"use_class"' residential || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","dn":0.5}')" $'\n422' '"field":"dn"' && has "$(tell /v1/rules/high '{"from":"2026-08-01","state":"perhaps"}')" $'\n422' '"field":"state"' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-08-01","more":1}')" $'\n422' '"field":"more"' && has "$(tell /v1/rules/high '{"from":"2026-08-01","version":7}')" $'\n409' '"field":"version"' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-06-30"}')" $'\n409' '"field":"from"' 2026-07-01 'months that are over' || return 1
    is 1 "$(of "$(ask /v1/rules/high/versions)" 'len(a["rows"])')"
}

a_version_judges_the_days_from_its_own_on() {
    is '' "$(checks H 07-01 07-15)" || return 1 # 1 000 L is above 2.4 times the median, and by 600 L
    said=$(tell /v1/rules/high '{"from":"2026-07-15","parameters":{"factor":2.4,"floor_l":599.5},"version":2,"note":"holidays"}' -H 'Idempotency-Key: v2')
    has "$said" $'\n201' '"version":2' '"factor":2.4' '"days":60' '"note":"holidays"' || return 1
    is "$said" "$(tell /v1/rules/high '{"from":"2026-07-15","parameters":{"factor":2.4,"floor_l":599.5},"version":2,"note":"holidays"}' -H 'Idempotency-Key: v2')" || return 1
    nilo clock set 2026-07-25T12:00:00+08:00 > /dev/null
    python3 - > later.csv <<'PY'
from datetime import datetime, timedelta
print('serial,time,index_l')
for p in 'HCBZS':
    v, at = (400 * (181 + (0 if p == 'Z' else 14)) + (0 if p == 'Z' else 600)), datetime(2026, 7, 15)
    while at < datetime(2026, 7, 25):
        use = 1000 if (at.month, at.day) == (7, 20) else 400
        if p == 'Z': use = 0
        v, at = v + use, at + timedelta(1)
        print('m%s,%s+08:00,%d' % (p, at.isoformat(), v))
PY
    nilo import readings later.csv > /dev/null && nilo settle || return 1
    is '07-20:high' "$(checks H 07-01 07-25)" || return 1
    is '2 2026-07-15 holidays' "$(of "$(ask /v1/rules/high/versions)" '"%s %s %s" % tuple(a["rows"][1][k] for k in ("version", "from", "note"))')" || return 1
    has "$(ask '/v1/audit?limit=1000')" '"rule.set"' holidays
}

a_verdict_tells_what_it_rested_on() {
    said=$(ask '/v1/points/H/consumption?from=2026-07-20T00:00:00%2B08:00&to=2026-07-21T00:00:00%2B08:00&explain=1')
    has "$said" $'\n200' || return 1
    is "high 2 True {'factor': 2.4, 'floor_l': 599.5, 'days': 60, 'days_least': 30} {'use_l': 1000, 'seconds': 86400, 'median_l': 400, 'days_counted': 60}" \
        "$(of "$said" '"%s %s %s %s %s" % tuple(a["check_inputs"][0][k] for k in ("rule", "version", "flagged", "parameters", "inputs"))')" || return 1
    is 'low 1 False' "$(of "$said" '"%s %s %s" % tuple(a["check_inputs"][1][k] for k in ("rule", "version", "flagged"))')" || return 1
    said=$(ask '/v1/points/Z/consumption?from=2026-07-20T00:00:00%2B08:00&to=2026-07-21T00:00:00%2B08:00&explain=1')
    is "{'since': '2026-07-13T16:00:00Z', 'register_l': 72400, 'start_index_l': 0}" "$(of "$said" '[c["inputs"] for c in a["check_inputs"] if c["rule"] == "zero"][0]')"
}

figures_may_be_for_a_use_class_and_a_size() {
    has "$(tell /v1/rules/high '{"from":"2026-07-01","use_class":"commercial","state":"off"}')" $'\n201' '"version":3' '"use_class":"commercial"' || return 1
    has "$(tell /v1/rules/high '{"from":"2026-07-01","dn":50,"parameters":{"factor":1.5,"floor_l":100}}')" $'\n201' '"version":4' '"dn":50' || return 1
    is '07-20:high' "$(checks H 07-01 07-25)" && is '' "$(checks C 07-01 07-25)" && is '07-10:high 07-20:high' "$(checks B 07-01 07-25)" || return 1
    exits 0 nilo rule set high --from 2026-07-20 --dn 50 --state withdrawn --note 'no better' && has "$said" withdrawn || return 1
    is '07-10:high 07-20:high' "$(checks B 07-01 07-25)" || return 1 # version 2 holds again
    exits 0 nilo rule set zero days=20 --from 2026-07-10 || return 1
    is '07-07:zero 07-08:zero 07-09:zero 07-20:zero 07-21:zero 07-22:zero 07-23:zero 07-24:zero' "$(checks Z 07-01 07-25)" || return 1
    nilod_stop && nilod_start --virtual-clock 2026-07-25T12:00:00+08:00 || return 1
    is '07-10:high 07-20:high' "$(checks B 07-01 07-25)" && is '07-20:high' "$(checks H 07-01 07-25)" && exits 0 nilo store check --store store
}

a_sheet_and_a_queue_judge_by_the_same_figures() {
    is "['high']" "$(of "$(ask '/v1/routes/R1/day?date=2026-07-21')" '[r["checks"] for r in a["rows"] if r["point"] == "H"][0]')" || return 1
    is '[]' "$(of "$(ask '/v1/routes/R1/day?date=2026-07-21')" '[r["checks"] for r in a["rows"] if r["point"] == "C"][0]')" || return 1
    is 'H B' "$(of "$(ask '/v1/routes/R1/review?from=2026-07-20T00:00:00%2B08:00&to=2026-07-21T00:00:00%2B08:00&reason=high')" '" ".join(sorted((r["point"] for r in a["rows"]), reverse=True))')"
}

a_reading_tells_what_it_was_held_against() {
    printf 'serial,time,index_l,source\nmS,2026-07-24T12:00:00+08:00,900000,manual\nmS,2026-07-24T13:00:00+08:00,10,manual\n' | nilo import readings - > /dev/null && nilo settle || return 1
    said=$(ask '/v1/meters/mS/readings?from=2026-07-24T00:00:00%2B08:00&to=2026-07-25T12:00:00%2B08:00&explain=1')
    has "$said" $'\n200' || return 1
    is 'agrees ceiling fall agrees' "$(of "$said" '" ".join(r["explain"]["rule"] for r in a["rows"])')" || return 1
    # 12 hours at 3 437.5 L and a pulse; 204 days of 400 L and twice 600 L more by midnight.
    is '41251 817200 43200 82800' "$(of "$said" '(lambda e: "%s %s %s %s" % (e["ceiling_l"], e["difference_l"], e["seconds"], e["before"]["index_l"]))(a["rows"][1]["explain"])')" || return 1
    has "$said" '"text_zh":"低于前一条有效读数' || return 1
    has "$(ask '/v1/meters/mS/readings?from=2026-07-24T00:00:00%2B08:00&to=2026-07-25T12:00:00%2B08:00&explain=perhaps')" $'\n422' || return 1
    [[ $(ask '/v1/meters/mS/readings?from=2026-07-24T00:00:00%2B08:00&to=2026-07-25T12:00:00%2B08:00') != *explain* ]] || return 1
    exits 0 nilo reading list mS --from 2026-07-24T00:00:00+08:00 --to 2026-07-25T12:00:00+08:00 --explain --format ndjson && has "$said" ceiling_l
}

# frozen: the determinants of the cycle j20 as lines of NDJSON.
frozen() { curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/x-ndjson' "$NILO_SERVER/v1/cycles/j20/determinants" | sed '$d'; }

what_had_consequences_keeps_what_it_rested_on() {
    local day='from=2026-07-20T00:00:00%2B08:00&to=2026-07-21T00:00:00%2B08:00' before
    tell /v1/cycles '{"cycle":"j20","from":"2026-07-20T00:00:00+08:00","to":"2026-07-21T00:00:00+08:00","routes":["R1"]}' > /dev/null
    has "$(tell /v1/cycles/j20/accept '{"points":["H"],"note":"the pool"}')" '"accepted":1' || return 1
    has "$(tell /v1/routes/R1/day/sign '{"date":"2026-07-21","remarks":[{"point":"H","remark":"the pool"},{"point":"B","remark":"a guest"},{"point":"Z","remark":"empty"}]}')" $'\n201' '"state":"signed"' || return 1
    said=$(ask '/v1/cycles/j20/review?reason=high&accepted=1')
    is "[{'rule': 'high', 'version': 2, 'flagged': True, 'parameters': {'factor': 2.4, 'floor_l': 599.5, 'days': 60, 'days_least': 30}, 'inputs': {'use_l': 1000, 'seconds': 86400, 'median_l': 400, 'days_counted': 60}}]" \
        "$(of "$said" '[r["accepted_on"] for r in a["rows"] if r["point"] == "H"][0]')" || return 1
    has "$(ask '/v1/audit?limit=1000')" '"cycle.accept"' '"median_l":400' || return 1
    has "$(tell /v1/cycles/j20/close '{}')" $'\n200' || return 1
    frozen > closed.ndjson
    is "$(of "$(ask /v1/cycles/j20)" 'a["digest"]')" "$(sha256sum closed.ndjson | cut -d' ' -f1)" || return 1
    has "$(grep '"point":"H"' closed.ndjson)" '"checks":["high"]' '"check_inputs":[{"rule":"high","version":2,"flagged":true' '"median_l":400' || return 1
    has "$(grep '"point":"Z"' closed.ndjson)" '"checks":["zero"]' '"parameters":{"days":20}' '"start_index_l":0' || return 1
    [[ $(grep '"point":"C"' closed.ndjson) != *check_inputs* ]] || return 1
    # What comes later moves what is reckoned, and nothing of what was kept.
    before=$(of "$(ask "/v1/points/H/consumption?$day&explain=1")" 'a["check_inputs"][0]["inputs"]["median_l"]')
    # 405 L a day in June, by what was read off the dial.
    { echo serial,time,index_l,source; for d in $(seq -w 1 30); do echo "mH,2026-06-${d}T00:00:00+08:00,$((400 * (150 + 10#$d) + 5 * 10#$d)),photo"; done; } | nilo import readings - > /dev/null && nilo settle || return 1
    is '400 405' "$before $(of "$(ask "/v1/points/H/consumption?$day&explain=1")" 'a["check_inputs"][0]["inputs"]["median_l"]')" || return 1
    has "$(tell /v1/rules/high '{"from":"2026-07-20","parameters":{"factor":5}}')" $'\n409' 'j20 is closed' 2026-07-21 && has "$(tell /v1/rules/high '{"from":"2026-07-21","parameters":{"factor":5}}')" $'\n201' || return 1
    is "$(cat closed.ndjson)" "$(frozen)" || return 1
    is 'high 2 400' "$(of "$(ask '/v1/routes/R1/day?date=2026-07-21')" '[("%s %s %s" % (c["rule"], c["version"], c["inputs"]["median_l"])) for r in a["rows"] if r["point"] == "H" for c in r["check_inputs"]][0]')" || return 1
    nilod_stop && nilod_start --virtual-clock 2026-07-25T12:00:00+08:00 || return 1
    is "$(cat closed.ndjson)" "$(frozen)" && exits 0 nilo store check --store store && exits 0 nilo audit verify
}

# Each of 12 meters twice, with the same readings: E has them in order, L in any order and in many files.
late_data_gives_the_verdicts_of_timely_data() {
    { echo serial,dn,q3,digits; for i in $(seq 12); do echo "E$i,15,2.5,5"; echo "L$i,15,2.5,5"; done; } | nilo import meters - > /dev/null || return 1
    { echo point,route,use_class; for i in $(seq 12); do echo "PE$i,R2,residential"; echo "PL$i,R2,residential"; done; } | nilo import points - > /dev/null || return 1
    { echo point,serial,from,start_index_l; for i in $(seq 12); do echo "PE$i,E$i,2026-04-01T00:00:00+08:00,1000"; echo "PL$i,L$i,2026-04-01T00:00:00+08:00,1000"; done; } | nilo import fittings - > /dev/null || return 1
    python3 - "${NILO_SEED:-$RANDOM}" > seed <<'PY'
import random, sys
from datetime import datetime, timedelta
random.seed(int(sys.argv[1]))
rows = []
for i in range(1, 13):
    at, v, base = datetime(2026, 4, 1), 1000, random.choice([200, 900, 3000])
    while at < datetime(2026, 7, 24):
        at += timedelta(hours=random.choice([24, 24, 24, 24, 12, 36, 1]))
        v += random.choice([0, base // 24, base, base, base, base * 4])
        told = random.choice([v] * 12 + [v - 400, v + 90000, 5])
        if random.random() < 0.02: v, told = 7, 7
        rows.append((i, at.isoformat() + '+08:00', max(told, 0)))
def write(name, rows, letter):
    with open(name, 'w') as f:
        f.write('serial,time,index_l\n')
        for i, at, v in rows: f.write('%s%d,%s,%d\n' % (letter, i, at, v))
write('early.csv', rows, 'E')
random.shuffle(rows)
for n in range(6): write('late%d.csv' % n, rows[n::6], 'L')
print('seed', sys.argv[1])
PY
    nilo import readings early.csv > /dev/null && nilo settle || return 1
    for n in 0 1 2 3 4 5; do nilo import readings "late$n.csv" > /dev/null && nilo settle || return 1; done
    local i what
    for i in $(seq 12); do
        for what in "meters/X$i/readings?from=2026-04-01T00:00:00Z&to=2026-07-25T00:00:00Z&explain=1" "points/PX$i/consumption?from=2026-04-01T00:00:00%2B08:00&to=2026-07-24T00:00:00%2B08:00&step=day" \
            "points/PX$i/consumption?from=2026-07-01T00:00:00%2B08:00&to=2026-07-20T00:00:00%2B08:00&explain=1"; do
            is "$(ask "/v1/${what/X/E}" | sed "s/\bE$i\b/X/g; s/PE$i/PX/g")" "$(ask "/v1/${what/X/L}" | sed "s/\bL$i\b/X/g; s/PL$i/PX/g")" || { cat seed; return 1; }
        done
    done
    has "$(for i in $(seq 12); do ask "/v1/meters/L$i/readings?from=2026-04-01T00:00:00Z&to=2026-07-25T00:00:00Z&explain=1"; done)" '"rule":"ceiling"' '"rule":"fall"' '"rule":"peak"' || { cat seed; return 1; }
}

# flagged LETTER FIRST LAST: "POINT DAY" of the days of July that are high at points of R2 whose name begins so, as consumption says.
flagged() {
    local p
    for p in $(of "$(ask '/v1/points?route=R2&limit=1000')" '" ".join(r["point"] for r in a["rows"])'); do
        of "$(ask "/v1/points/$p/consumption?from=2026-07-$1T00:00:00%2B08:00&to=2026-07-$2T00:00:00%2B08:00&step=day")" '"\n".join(r["point"] + " " + r["from"] for r in a["rows"] if "high" in (r.get("checks") or []))'
    done | grep . | sort
}
trial() { tell "/v1/rules/$1/trial" "$2" "${@:3}"; }

what_a_trial_may_not_ask_is_told() {
    local span='"from":"2026-07-01T00:00:00+08:00","to":"2026-07-24T00:00:00+08:00"'
    has "$(token=viewer.token trial high "{$span,\"routes\":[\"R1\"]}")" $'\n403' && has "$(token=south.token trial high "{$span,\"routes\":[\"R1\"]}")" $'\n403' || return 1
    has "$(trial nonsense "{$span,\"routes\":[\"R1\"]}")" $'\n404' && has "$(trial high "{$span,\"routes\":[\"R7\"]}")" $'\n404' R7 && has "$(trial high "{$span,\"zone\":\"Z7\"}")" $'\n404' Z7 || return 1
    has "$(trial ceiling "{$span,\"routes\":[\"R1\"]}")" $'\n409' && has "$(trial high "{$span}")" $'\n422' '"field":"routes"' && has "$(trial high "{$span,\"routes\":[]}")" $'\n422' || return 1
    has "$(trial high "{$span,\"routes\":[\"R1\"],\"step\":\"hour\"}")" $'\n422' '"field":"step"' && has "$(trial spike "{$span,\"routes\":[\"R1\"],\"step\":\"day\"}")" $'\n422' 'by the hour' || return 1
    has "$(trial high "{$span,\"routes\":[\"R1\"],\"parameters\":{\"factor\":0}}")" $'\n422' '"field":"factor"' && has "$(trial high "{$span,\"routes\":[\"R1\"],\"version\":77}")" $'\n404' || return 1
    has "$(trial high "{$span,\"routes\":[\"R1\"],\"version\":1,\"parameters\":{}}")" $'\n422' '"field":"version"' && has "$(trial high '{"from":"2020-07-01T00:00:00Z","to":"2026-07-01T00:00:00Z","routes":["R1"]}')" $'\n422' '"field":"to"' || return 1
    has "$(trial high "{$span,\"routes\":[\"R1\"],\"points\":0}")" $'\n422' '"field":"points"' && has "$(trial high "{$span,\"routes\":[\"R1\"],\"form\":1}")" $'\n422'
}

a_trial_is_what_comes_when_the_figures_are_set() {
    local wish='{"parameters":{"factor":1.8,"floor_l":50},"from":"2026-07-21T00:00:00+08:00","to":"2026-07-24T00:00:00+08:00","routes":["R2"]}' acts
    acts=$(of "$(ask '/v1/audit?limit=100000')" 'a["rows"][-1]["number"]')
    flagged 21 24 > before
    said=$(trial high "$wish")
    has "$said" $'\n200' || return 1
    of "$said" '"\n".join(r["point"] + " " + r["from"] for r in a["rows"] if r["then"])' | grep . | sort > tried
    of "$said" '"\n".join(r["point"] + " " + r["from"] for r in a["rows"] if r["now"])' | grep . | sort > now
    is "$(cat before)" "$(cat now)" && [[ $(wc -l < tried) -gt $(wc -l < now) ]] || { echo "      a trial that finds nothing new tells nothing: $(wc -l < now) and $(wc -l < tried)"; return 1; }
    # The summary counts what stands above it.
    is "25 75 $(wc -l < now) $(wc -l < tried) $(comm -12 now tried | wc -l) $(comm -23 now tried | wc -l) $(comm -13 now tried | wc -l) None" \
        "$(of "$said" '"%s %s %s %s %s %s %s %s" % tuple(a["rows"][-1]["summary"][k] for k in ("points", "rows", "now", "then", "both", "only_now", "only_then", "next"))')" || return 1
    is "residential $(wc -l < tried)" "$(of "$said" '"%s %s" % tuple(a["rows"][-1]["summary"]["by_use_class"][0][k] for k in ("use_class", "then"))')" || return 1
    has "$said" '"figures":{"now":[{"rule":"high","version":' '"then":[{"rule":"high","version":0,"flagged":true,"parameters":{"factor":1.8,"floor_l":50,' || return 1
    # In pieces of any size, and as a stream, it is the same.
    is "$(of "$said" '"\n".join("%s %s" % (r["point"], r["from"]) for r in a["rows"])')" "$(after=; while :; do page=$(tell "/v1/rules/high/trial?limit=5$after" "$wish"); of "$page" '"\n".join("%s %s" % (r["point"], r["from"]) for r in a["rows"])'; after=$(of "$page" 'a["next"] or ""'); [[ $after ]] || break; after="&after=$after"; done)" || return 1
    is "$(of "$said" '"\n".join("%s %s" % (r["point"], r["from"]) for r in a["rows"] if r["point"])')" "$(after=; while :; do page=$(trial high "${wish%\}},\"points\":4$after}"); of "$page" '"\n".join("%s %s" % (r["point"], r["from"]) for r in a["rows"] if r["point"])' | grep .; after=$(of "$page" 'a["rows"][-1]["summary"]["next"] or ""'); [[ $after ]] || break; after=",\"after_point\":\"$after\""; done)" || return 1
    is "$(of "$said" 'len(a["rows"])')" "$(trial high "$wish" -H 'Accept: application/x-ndjson' | grep '"end":true' | python3 -c 'import json,sys; print(json.loads(sys.stdin.read())["rows"])')" || return 1
    exits 0 nilo rule trial high factor=1.8 floor_l=50 --from 2026-07-21T00:00:00+08:00 --to 2026-07-24T00:00:00+08:00 --routes R2 --format ndjson && is "$(wc -l < tried)" "$(grep -c '"then":true' <<< "$said")" || return 1
    is "$acts" "$(of "$(ask '/v1/audit?limit=100000')" 'a["rows"][-1]["number"]')" || return 1 # it changed nothing
    has "$(tell /v1/rules/high '{"parameters":{"factor":1.8,"floor_l":50},"from":"2026-07-21"}')" $'\n201' || return 1
    is "$(cat tried)" "$(flagged 21 24)" || return 1
    # And back again: a version that there is.
    version=$(of "$(ask /v1/rules/high/versions)" 'a["rows"][-2]["version"]')
    said=$(trial high "{\"version\":$version,\"from\":\"2026-07-21T00:00:00+08:00\",\"to\":\"2026-07-24T00:00:00+08:00\",\"routes\":[\"R2\"]}")
    is "$(cat tried)" "$(of "$said" '"\n".join(r["point"] + " " + r["from"] for r in a["rows"] if r["now"])' | grep . | sort)"
}

a_trial_for_a_class_or_a_size_leaves_the_others_as_they_are() {
    local span='"from":"2026-07-01T00:00:00+08:00","to":"2026-07-24T00:00:00+08:00","routes":["R1"]'
    is 'B' "$(of "$(trial high "{$span,\"dn\":50,\"state\":\"off\"}")" '" ".join(sorted({r["point"] for r in a["rows"] if r["now"] and not r["then"]}))')" || return 1
    is 'C' "$(of "$(trial high "{$span,\"use_class\":\"commercial\",\"parameters\":{\"factor\":1.2,\"floor_l\":10}}")" '" ".join(sorted({r["point"] for r in a["rows"] if r["then"] and not r["now"]}))')" || return 1
    is '0' "$(of "$(trial high "{$span,\"state\":\"off\"}")" 'sum(r["then"] for r in a["rows"] if r["point"] in ("H", "Z"))')" || return 1
    # A rule that is off: tried, then switched on for shops alone.
    is 'C B H' "$(of "$(trial limit "{$span,\"parameters\":{\"most_l\":999}}")" '" ".join(sorted({r["point"] for r in a["rows"] if r["then"] and not r["now"]}, key="CBH".index))')" || return 1
    has "$(tell /v1/rules/limit '{"from":"2026-07-21","use_class":"commercial","parameters":{"most_l":399}}')" $'\n201' '"state":"on"' && is '07-21:limit 07-22:limit 07-23:limit' "$(checks C 07-01 07-24)" && is '' "$(checks H 07-21 07-24)" || return 1
    # Over closed cycles, and by the hour: as many rows as there are.
    is '4' "$(of "$(trial zero "{$span,\"step\":\"cycle\"}")" 'a["rows"][-1]["summary"]["rows"]')" && is "Z" "$(of "$(trial zero "{$span,\"step\":\"cycle\"}")" 'a["rows"][0]["point"]')" || return 1
    is "$((23 * 24 * 4))" "$(of "$(trial spike "{$span}")" 'a["rows"][-1]["summary"]["rows"]')" || return 1
    is '4 0' "$(of "$(trial prolonged "{$span,\"parameters\":{\"cycles\":1}}")" '"%s %s" % (a["rows"][-1]["summary"]["rows"], a["rows"][-1]["summary"]["then"])')"
}

# Q was never read: three closed cycles are missing.
what_nobody_reads_is_tried_over_closed_cycles() {
    local span='"from":"2026-03-01T00:00:00+08:00","to":"2026-07-25T00:00:00+08:00","routes":["RQ"]' month next
    printf 'route\nRQ\n' | nilo import routes - > /dev/null && printf 'serial,dn,q3\nmQ,15,2.5\n' | nilo import meters - > /dev/null && printf 'point,route,use_class\nQ,RQ,public\n' | nilo import points - > /dev/null || return 1
    printf 'point,serial,from,start_index_l\nQ,mQ,2026-01-01T00:00:00+08:00,0\n' | nilo import fittings - > /dev/null || return 1
    for month in 3 4 5 6; do
        next=$((month + 1))
        tell /v1/cycles "{\"cycle\":\"q$month\",\"from\":\"2026-0$month-01T00:00:00+08:00\",\"to\":\"2026-0$next-01T00:00:00+08:00\",\"routes\":[\"RQ\"]}" > /dev/null
        has "$(tell "/v1/cycles/q$month/close" '{}')" $'\n200' || return 1
    done
    is "['prolonged'] [{'rule': 'prolonged', 'version': 1, 'flagged': True, 'parameters': {'cycles': 2}, 'inputs': {'since': '2026-02-28T16:00:00Z'}}]" "$(of "$(ask /v1/cycles/q5/determinants)" '"%s %s" % (a["rows"][0]["checks"], a["rows"][0]["check_inputs"])')" || return 1
    is '4 2 3 2' "$(of "$(trial prolonged "{$span,\"parameters\":{\"cycles\":1}}")" '"%s %s %s %s" % tuple(a["rows"][-1]["summary"][k] for k in ("rows", "now", "then", "both"))')" || return 1
    # What lies before the span counts within it.
    is '1 1 1' "$(of "$(trial prolonged "{${span/2026-03/2026-06},\"parameters\":{\"cycles\":3}}")" '"%s %s %s" % tuple(a["rows"][-1]["summary"][k] for k in ("rows", "now", "then"))')" && is '0' "$(of "$(trial prolonged "{$span,\"parameters\":{\"cycles\":4}}")" 'a["rows"][-1]["summary"]["then"]')" || return 1
    has "$(tell /v1/rules/prolonged '{"from":"2026-07-21","parameters":{"cycles":4}}')" $'\n201' || return 1
    tell /v1/cycles '{"cycle":"q7","from":"2026-07-01T00:00:00+08:00","to":"2026-07-24T00:00:00+08:00","routes":["RQ"]}' > /dev/null
    has "$(tell /v1/cycles/q7/close '{}')" $'\n200' && is "{'cycles': 2}" "$(of "$(ask /v1/cycles/q7/determinants)" 'a["rows"][0]["check_inputs"][0]["parameters"]')" # it began before that version
}

a_unit_tries_what_is_its_own() {
    local span='"from":"2026-07-01T00:00:00+08:00","to":"2026-07-24T00:00:00+08:00","parameters":{"most_l":500}'
    is 'H S 2' "$(of "$(trial limit "{$span,\"zone\":\"Z1\"}")" '"%s %s" % (" ".join(sorted({r["point"] for r in a["rows"] if r["point"]})), a["rows"][-1]["summary"]["points"])')" || return 1
    is 'S 1' "$(of "$(token=south.token trial limit "{$span,\"zone\":\"Z1\"}")" '"%s %s" % (" ".join(sorted({r["point"] for r in a["rows"] if r["point"]})), a["rows"][-1]["summary"]["points"])')" || return 1
    has "$(token=south.token trial limit "{$span,\"routes\":[\"R2\"]}")" $'\n200' || return 1
    # As a sheet and as CSV, too.
    is 'PK' "$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet' -d "{$span,\"zone\":\"Z1\"}" "$NILO_SERVER/v1/rules/limit/trial" | head -c 2)" || return 1
    has "$(trial limit "{$span,\"zone\":\"Z1\"}" -H 'Accept: text/csv')" 'point,use_class,dn,from,to,now,then,figures,summary' $'\nH,residential,15,'
}

# 20 July of S by the hour: 15 L in each, and 655 L in the tenth.
an_hour_that_was_let_pass_keeps_its_figures() {
    { echo serial,time,index_l,source; for h in $(seq -w 1 23); do echo "mS,2026-07-20T$h:00:00+08:00,$((400 * 200 + 600 + 15 * 10#$h + (10#$h > 9 ? 640 : 0))),photo"; done; } | nilo import readings - > /dev/null && nilo settle || return 1
    tell /v1/cycles '{"cycle":"s20","from":"2026-07-20T00:00:00+08:00","to":"2026-07-21T00:00:00+08:00","routes":["R2"]}' > /dev/null
    has "$(tell /v1/cycles/s20/accept '{"points":["S"]}')" '"accepted":1' || return 1
    is "{'use_l': 655, 'third_l': 15, 'floor_l': 250, 'hour': '2026-07-20T01:00:00Z'}" "$(of "$(ask '/v1/cycles/s20/review?accepted=1')" '[c["inputs"] for r in a["rows"] if r["point"] == "S" for c in r["accepted_on"] if c["rule"] == "spike"][0]')"
}

nilod_start --virtual-clock 2026-07-15T12:00:00+08:00
nilo token create --role viewer --name viewer > viewer.token
world > /dev/null || { echo "the world could not be made"; exit 1; }
nilo token create --role supervisor --name south --org SOUTH > south.token
hold the_table_tells_each_rule_with_its_figures who_may_not_or_asks_wrongly_changes_nothing a_version_judges_the_days_from_its_own_on a_verdict_tells_what_it_rested_on \
    figures_may_be_for_a_use_class_and_a_size a_sheet_and_a_queue_judge_by_the_same_figures a_reading_tells_what_it_was_held_against what_had_consequences_keeps_what_it_rested_on \
    late_data_gives_the_verdicts_of_timely_data what_a_trial_may_not_ask_is_told a_trial_is_what_comes_when_the_figures_are_set a_trial_for_a_class_or_a_size_leaves_the_others_as_they_are \
    what_nobody_reads_is_tried_over_closed_cycles a_unit_tries_what_is_its_own an_hour_that_was_let_pass_keeps_its_figures
hold_end
