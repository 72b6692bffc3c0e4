#!/usr/bin/env bash
# Tokens of an org unit, against a real nilod: what a team sees and writes. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# The company CO has the branches NORTH, with the team N1, and SOUTH. as NAME COMMAND…: nilo with NAME's token.
as() { local name=$1; shift; nilo "$@" --token-file "$name.token"; }
# call NAME METHOD PATH [BODY]: the status and the body.
call() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$1.token")" -X "$2" ${4:+-H 'Content-Type: application/json' -d "$4"} "$NILO_SERVER$3"; }
first() { as "$1" "${@:2}" --format csv | tail -n +2 | cut -d, -f1 | tr '\n' ' '; }

a_token_is_for_a_unit_that_is_registered() {
    printf 'org,parent,level\nCO,,company\nNORTH,CO,branch\nN1,NORTH,team\nSOUTH,CO,branch\n' | nilo import orgs - > /dev/null
    printf 'route,org\nRN,N1\nRS,SOUTH\nRX,\n' | nilo import routes - > /dev/null
    printf 'depot,org\nDN,NORTH\nDS,SOUTH\n' | nilo import depots - > /dev/null
    printf 'crew,org\nCN,N1\nCS,SOUTH\n' | nilo import crews - > /dev/null
    printf 'point,route\nPN,RN\nPN2,RN\nPS,RS\nPX,\n' | nilo import points - > /dev/null
    printf 'serial,dn,q3,depot,verified_on,state\nMN,15,2.5,,2026-01-01,\nMS,15,2.5,,2026-01-01,\nSN,15,2.5,DN,2026-01-01,in-stock\nSS,15,2.5,DS,2026-01-01,in-stock\nNOBODY,15,2.5,,,\n' | nilo import meters - > /dev/null
    printf 'point,serial,from,start_index_l\nPN,MN,2026-01-02T00:00:00Z,0\nPS,MS,2026-01-02T00:00:00Z,0\n' | nilo import fittings - > /dev/null
    exits 0 nilo token create --role supervisor --name north --org NORTH && echo "$said" > north.token || return 1
    exits 0 nilo token create --role crew --name team --org N1 && echo "$said" > team.token || return 1
    exits 0 nilo token create --role viewer --name south --org SOUTH && echo "$said" > south.token || return 1
    exits 0 nilo token create --role store --name all && echo "$said" > all.token || return 1
    exits 1 nilo token create --role viewer --name x --org NOWHERE && has "$said" NOWHERE || return 1
    exits 1 nilo token create --role ingest --name x --org NORTH && has "$said" org
}

lists_leave_out_what_is_not_the_units() {
    is 'MN SN ' "$(first north meter list)" && is 'MN ' "$(first team meter list)" && is 'MS SS ' "$(first south meter list)" || return 1
    is 'MN MS NOBODY SN SS ' "$(first all meter list)" || return 1
    is 'PN PN2 ' "$(first team point list)" && is 'PS ' "$(first south point list)" || return 1
    is 'RN ' "$(first north route list)" && is 'DN ' "$(first north depot list)" && is 'CS ' "$(first south crew list)" || return 1
    said=$(call north GET /v1/orgs) && has "$said" '"org":"N1"' '"org":"NORTH"' && [[ $said != *SOUTH* ]] || return 1
    has "$(call north GET '/v1/fittings')" '"serial":"MN"' && [[ $(call north GET '/v1/fittings') != *MS* ]] || return 1
    has "$(call south GET '/v1/export/fittings')" '"serial":"MS"' && [[ $(call south GET '/v1/export/fittings') != *MN* ]] || return 1
    # A page is filled with what may be seen, and goes on behind it.
    said=$(call north GET '/v1/meters?limit=1') && has "$said" '"serial":"MN"' '"next":"' || return 1
    said=$(call north GET "/v1/meters?limit=1&after=$(sed -nE 's/.*"next":"([^"]+)".*/\1/p' <<< "$said")") && has "$said" '"serial":"SN"'
}

what_is_named_and_is_not_the_units_is_403_with_role_and_unit() {
    local path
    for path in /v1/points/PS /v1/points/PX /v1/meters/MS /v1/meters/NOBODY /v1/meters/MS/history '/v1/meters/MS/readings?from=2026-01-01T00:00:00Z' \
        '/v1/points/PS/consumption?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z' /v1/routes/RS '/v1/points?route=RS' '/v1/fittings?serial=MS' /v1/depots/DS /v1/orgs/CO /v1/audit /v1/quarantine; do
        said=$(call team GET "$path")
        has "$said" $'\n403' 'role crew' 'org unit N1' || { echo "      $path"; return 1; }
    done
    has "$(call team GET /v1/points/NONE)" $'\n404' && has "$(call team GET /v1/points/PN)" $'\n200' && has "$(call all GET /v1/points/PX)" $'\n200'
}

acts_touch_what_is_the_units_alone() {
    has "$(call team POST /v1/meters/MS/events '{"event":"fault","note":"x"}')" $'\n403' 'org unit N1' || return 1
    has "$(call team POST /v1/meters/MN/events '{"event":"install","point":"PS","index_l":0}')" $'\n403' 'point PS' || return 1
    has "$(call team POST /v1/exchanges '{"point":"PN","at":"2026-02-01T00:00:00Z","old_serial":"MN","old_index_l":5,"new_serial":"SS","new_index_l":0,"reason":"x"}')" $'\n403' 'SS' || return 1
    has "$(call north POST /v1/meters/SN/events '{"event":"issue","document":"I","crew":"CS"}')" $'\n403' 'CS' || return 1
    has "$(call north POST /v1/events '{"event":"issue","document":"I","crew":"CN","serials":["SN","SS"]}')" $'\n403' 'SS' || return 1
    has "$(call north POST /v1/meters/SN/events '{"event":"issue","at":"2026-01-10T00:00:00Z","document":"I","crew":"CN"}')" $'\n201' || return 1
    # Issued to the team, the meter is the team's; on the wall it is where its point is.
    has "$(call team GET /v1/meters/SN)" $'\n200' || return 1
    has "$(call team POST /v1/meters/SN/events '{"event":"install","at":"2026-01-11T00:00:00Z","point":"PN2","index_l":0}')" $'\n201' || return 1
    has "$(call team POST /v1/reads '{"point":"PN2","at":"2026-03-01T00:00:00Z","index_l":5}')" $'\n20' || return 1
    has "$(call team POST /v1/reads '{"point":"PS","at":"2026-03-01T00:00:00Z","index_l":5}')" $'\n403'
}

what_is_made_is_made_for_the_unit() {
    has "$(call north POST /v1/points '{"point":"PNEW"}')" $'\n403' route || return 1
    has "$(call north POST /v1/points '{"point":"PNEW","route":"RS"}')" $'\n403' RS || return 1
    has "$(call north POST /v1/points '{"point":"PNEW","route":"RN"}')" $'\n201' || return 1
    has "$(call north POST /v1/points '{"point":"PS","route":"RN"}')" $'\n403' PS || return 1
    has "$(call north POST /v1/meters '{"serial":"MNEW","dn":15,"q3":2.5}')" $'\n403' depot || return 1
    has "$(call north POST /v1/meters '{"serial":"MNEW","dn":15,"q3":2.5,"depot":"DN"}')" $'\n201' || return 1
    has "$(call north POST /v1/orgs '{"org":"N2","parent":"NORTH"}')" $'\n201' && has "$(call north POST /v1/orgs '{"org":"S2","parent":"SOUTH"}')" $'\n403' || return 1
    has "$(call north POST /v1/zones '{"zone":"Z"}')" $'\n403' && exits 1 as north import points /dev/null && has "$said" 'no single unit' || return 1
    # A unit's chief makes tokens for the unit and those below it, and for nobody else.
    has "$(call north POST /v1/tokens '{"role":"crew","name":"n"}')" $'\n403' org && has "$(call north POST /v1/tokens '{"role":"crew","name":"n","org":"SOUTH"}')" $'\n403' || return 1
    has "$(call north POST /v1/tokens '{"role":"crew","name":"n","org":"N1"}')" $'\n201' '"org":"N1"'
}

stock_and_stocktakings_are_the_units() {
    printf 'batch,supplier\nMIXED,S\nOURS,S\n' | nilo import batches - > /dev/null
    printf 'serial,dn,q3,depot,batch,state\nLN,15,2.5,DN,MIXED,received\nLS,15,2.5,DS,MIXED,received\nLN2,15,2.5,DN,OURS,received\n' | nilo import meters - > /dev/null
    said=$(call north GET /v1/stock) && has "$said" '"holder":"DN"' && [[ $said != *DS* ]] || return 1
    said=$(call south GET /v1/stock) && has "$said" '"holder":"DS"' && [[ $said != *DN* && $said != *CN* ]] || return 1
    has "$(call all POST /v1/stocktakes '{"stocktake":"T-S","depot":"DS","serials":["SS"]}')" $'\n201' || return 1
    has "$(call north GET /v1/stocktakes/T-S)" $'\n403' 'stocktake T-S' && has "$(call south GET /v1/stocktakes/T-S)" $'\n200' && has "$(call north GET /v1/stocktakes/T-X)" $'\n404'
}

a_lot_is_judged_by_whoever_has_all_of_it() {
    has "$(call north GET /v1/batches/MIXED/sample)" $'\n403' MIXED && has "$(call north POST /v1/batches/MIXED/reject '{"note":"x"}')" $'\n403' MIXED || return 1
    has "$(call all GET /v1/meters/LS)" '"state":"received"' && has "$(call north GET /v1/batches/OURS/sample)" $'\n200' LN2 || return 1
    has "$(call north POST /v1/batches/OURS/reject '{"note":"x"}')" $'\n201' && has "$(call all GET /v1/meters/LN2)" '"state":"rejected"' || return 1
    has "$(call north POST /v1/deliveries '{"batch":"OURS","document":"D1","register":true,"serials":["LN3"]}')" $'\n403' depot
}

seals_and_modems_of_others_are_left_alone() {
    has "$(call all POST /v1/seals '{"from":"X01","to":"X04","crew":"CS"}')" $'\n201' && has "$(call all POST /v1/seals '{"from":"F01","to":"F04"}')" $'\n201' || return 1
    printf 'modem,serial\nDS1,MS\nFREE,\n' | nilo import modems - > /dev/null
    has "$(call north POST /v1/seals/return '{"seal":"X01"}')" $'\n403' X01 && has "$(call team POST /v1/seals/break '{"from":"X02","to":"X03","note":"x"}')" $'\n403' X02 || return 1
    has "$(call north POST /v1/seals '{"seal":"X01","crew":"CN"}')" $'\n403' X01 && has "$(call north POST /v1/meters/MN/events '{"event":"fault","note":"x","seal":"X01"}')" $'\n403' X01 || return 1
    has "$(call all GET /v1/seals?crew=CS)" X01 X02 X03 X04 || return 1
    has "$(call north POST /v1/seals/issue '{"from":"F01","to":"F02","crew":"CN"}')" $'\n200' && has "$(call team POST /v1/seals/break '{"seal":"F01","note":"x"}')" $'\n200' || return 1
    has "$(call north POST /v1/modems '{"modem":"DS1","imei":"1","serial":"MN"}')" $'\n403' DS1 && has "$(call north POST /v1/meters/MN/modem '{"modem":"FREE"}')" $'\n20'
}

an_earlier_answer_is_not_for_who_is_called_the_same() {
    local body='{"route":"RN3","org":"NORTH"}'
    exits 0 nilo token create --role supervisor --name north --org SOUTH && echo "$said" > namesake.token || return 1
    keyed() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "$1.token")" -H 'Content-Type: application/json' -H 'Idempotency-Key: once' -d "$body" "$NILO_SERVER/v1/routes"; }
    has "$(keyed north)" $'\n201' && has "$(keyed north)" $'\n201' && has "$(keyed namesake)" $'\n422' 'Idempotency-Key'
}

nilod_start --virtual-clock 2026-03-02T02:00:00Z
hold a_token_is_for_a_unit_that_is_registered lists_leave_out_what_is_not_the_units what_is_named_and_is_not_the_units_is_403_with_role_and_unit \
    acts_touch_what_is_the_units_alone what_is_made_is_made_for_the_unit \
    stock_and_stocktakings_are_the_units a_lot_is_judged_by_whoever_has_all_of_it seals_and_modems_of_others_are_left_alone an_earlier_answer_is_not_for_who_is_called_the_same
hold_end
