#!/usr/bin/env bash
# By which figures flags are raised, what people's decisions do to them, and the list that crews get, from a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

call() { curl -s -w '\n%{http_code}' -H "Authorization: Bearer $(cat "${token:-$NILO_TOKEN_FILE}")" -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$NILO_SERVER$2"; }
# hours METER FROM-DAY DAYS BEGIN NIGHT DAY: a reading an hour from that day of 2026 on (0: 1 January), from an index on, with so many litres an hour by night and by day.
hours() {
    awk -v m="$1" -v from="$2" -v days="$3" -v v="$4" -v night="$5" -v day="$6" 'BEGIN {
        for (h = 0; h < days * 24; h++) { t = 1767196800 + from * 86400 + h * 3600; printf "%s,%d,%d\n", m, t, v; v += (h % 24 >= 6 && h % 24 < 22) ? day : night }
        printf "%s,%d,%d\n", m, 1767196800 + (from + days) * 86400, v
    }' | while IFS=, read -r m t v; do printf '%s,%(%FT%TZ)T,%d\n' "$m" "$t" "$v"; done
}
brought() {
    cat > coming
    [[ ! ${1:-} ]] || nilo clock set "$1" > /dev/null || return 1
    { echo serial,time,index_l; cat coming; } | nilo import readings - > /dev/null && nilo settle
}
flags() { nilo flag list --format json | jq -r '[.rows[] | .serial + ":" + .kind + ":" + .state] | join(" ")'; }
field() { nilo field list --format json "$@" | jq -r '[.rows[] | .serial + ":" + .kind + ":" + .why] | join(" ")'; }

export TZ=UTC
base=$((68 * 16 * 20))
# Households that use 20 L an hour by day and nothing by night.
world() {
    local m
    printf 'org,parent,level\nCO,,company\nNORTH,CO,branch\nSOUTH,CO,branch\n' | nilo import orgs -
    printf 'route,org\nRN,NORTH\nRS,SOUTH\n' | nilo import routes -
    printf 'zone\nZ1\n' | nilo import zones -
    { echo serial,dn,q3,verified_on; for m in 1 2 3 4 5; do echo "M$m,15,2.5,2026-01-01"; done; } | nilo import meters -
    { echo point,account,address,route,use_class,zone; for m in 1 2 3 4 5; do echo "P$m,A-$m,Road $m,$([[ $m == 3 ]] && echo RS || echo RN),residential,Z1"; done; } | nilo import points -
    { echo point,serial,from,start_index_l; for m in 1 2 3 4 5; do echo "P$m,M$m,2026-01-01T00:00:00+08:00,0"; done; } | nilo import fittings -
    for m in 1 2 3 4 5; do hours "M$m" 0 68 0 0 20; done | brought
    nilo token create --role reader --name south --org SOUTH > south.token
    nilo token create --role reader --name viewer > viewer.token
}

figures_of_flags_are_rules_like_others() {
    printf 'name ours\nsource us\nminutes replace 20\nminutes inspect 10\nminutes verify 15\nminutes repair 25\nminutes read 3\nrule any-stuck\nfind flag stuck\nmake inspect normal\nen Look\nzh 看\n' > orders.rules
    nilod_start --virtual-clock 2026-03-10T09:00:00+08:00 --order-rules orders.rules
    world > world.log 2>&1 || { cat world.log; return 1; }
    is 'flag' "$(nilo rule list --judges flag --format json | jq -r '[.rows[].judges] | unique | join(" ")')" || return 1
    has "$(call GET /v1/rules?judges=nonsense)" $'\n422' '"field":"judges"' || return 1
    is '180 h 24 2160' "$(call GET /v1/rules/stuck | head -n 1 | jq -r '.parameters[] | select(.name == "household_hours") | "\(.value) \(.unit) \(.least) \(.most)"')" || return 1
    has "$(token=viewer.token call POST /v1/rules/leak '{"from":"2026-03-11"}')" $'\n403' || return 1
    has "$(call POST /v1/rules/leak '{"from":"2026-03-10"}')" $'\n409' '"field":"from"' '2026-03-11 or later' || return 1
    has "$(call POST /v1/rules/leak '{"from":"2026-03-11","parameters":{"least_lph":0.1}}')" $'\n422' '"field":"least_lph"' '0.5 to 1000' || return 1
    has "$(call POST /v1/rules/leak/trial '{"from":"2026-02-01T00:00:00Z","to":"2026-03-01T00:00:00Z","zone":"Z1"}')" $'\n409' replay || return 1
    is 1 "$(nilo rule versions leak --format json | jq '.rows | length')"
}

# M1 60 L/h, M2 20 L/h by day and night; M3 stands still.
crews_get_what_is_worth_most_and_neither_small_leaks_nor_the_unsure() {
    { hours M1 68 4 $base 60 80; hours M2 68 4 $base 20 40; hours M3 68 9 $base 0 0; hours M4 68 9 $base 0 20; hours M5 68 9 $base 0 20; } | brought 2026-03-19T10:00:00+08:00 || return 1
    is 'M1:leak:open M2:leak:open M3:stuck:open' "$(flags)" || return 1
    is 'M1:leak:go' "$(field)" && is 'M2:leak:small M3:stuck:unsure' "$(field --left-out)" || return 1
    # Nor is an order made for it.
    is 0 "$(call POST /v1/orders/by-rule '{"rule":"any-stuck"}' | head -n 1 | jq .created)" || return 1
    # Three weeks without use are no sure sign; here somebody wants to see each of them.
    has "$(call POST /v1/rules/stuck '{"from":"2026-03-20","parameters":{"order_from":0.01}}')" $'\n201' || return 1
    { hours M3 77 10 $base 0 0; hours M4 77 11 $((base + 9 * 320)) 0 20; hours M5 77 11 $((base + 9 * 320)) 0 20; } | brought 2026-03-29T10:00:00+08:00 || return 1
    is 'M1:leak:go M3:stuck:go' "$(field)" && is 'M3:stuck:go' "$(field --kind stuck)" && is 'M3:stuck:go' "$(NILO_TOKEN_FILE=south.token field)" && is 'M1:leak:go' "$(field --route RN)" || return 1
    next=$(call GET '/v1/field-list?limit=1' | head -n 1 | jq -r .next)
    is M3 "$(call GET "/v1/field-list?limit=1&after=$next" | head -n 1 | jq -r '.rows[].serial')" || return 1
    has "$(call GET '/v1/field-list?after=abc')" $'\n422' && has "$(call GET '/v1/field-list?zone=nowhere')" $'\n404' || return 1
    is 1 "$(call POST /v1/orders/by-rule '{"rule":"any-stuck"}' | head -n 1 | jq .created)" && is '["W00000001"]' "$(nilo field list --kind stuck --format json | jq -c '[.rows[].order]')" || return 1
    exits 0 nilo order create inspect --serial M1 --reason leak && has "$(nilo field list --format json | jq -c '[.rows[].order]')" W00000001 W00000002
}

# Of M1 4 days of 60 L/h are known. It was told of on 19 March, when the readings came, and had stopped by then as those of later show.
a_leak_is_a_case_with_what_flowed_what_it_costs_and_what_was_done() {
    is 'M1:open:60 M2:open:20' "$(nilo leak list --format json | jq -r '[.rows[] | .serial + ":" + .state + ":" + (.flow_lph | tostring)] | join(" ")')" || return 1
    case=$(nilo leak list --serial M1 --format json | jq -r '.rows[0].id')
    one=$(call GET "/v1/leak-cases/$case" | head -n 1)
        is 'true true true' "$(jq -r '[.lost_l >= 5600 and .lost_l <= 5800, .money > 10, .lost_low_l < .lost_l and .lost_high_l > .lost_l] | join(" ")' <<< "$one")" || return 1
    is 'A-1 P1 Z1 RN leak 2026-03-09T16:00:00Z null' "$(jq -r '[.account, .point, .zone, .route, .kinds[0], .onset, (.ended_at | tostring)] | join(" ")' <<< "$one")" || return 1
    is 'began told' "$(jq -r '[.history[].what] | join(" ")' <<< "$one")" || return 1
    has "$(token=south.token call GET "/v1/leak-cases/$case")" $'\n403' && is 0 "$(NILO_TOKEN_FILE=south.token nilo leak list --format json | jq '.rows | length')" || return 1
    has "$(call GET /v1/leak-cases/nonsense)" $'\n404' && has "$(call GET '/v1/leak-cases?state=perhaps')" $'\n422' && has "$(call GET '/v1/leak-cases?zone=nowhere')" $'\n404' || return 1
    is M2 "$(call GET "/v1/leak-cases?limit=1&after=$(call GET '/v1/leak-cases?limit=1' | head -n 1 | jq -r .next)" | head -n 1 | jq -r '.rows[].serial')" || return 1
    # It is mended, and somebody says that it was so.
    exits 0 nilo flag confirm "$case" --note 'pipe mended' || return 1
    hours M1 72 4 $((base + 4 * 1760)) 0 20 | brought || return 1
    one=$(call GET "/v1/leak-cases/$case" | head -n 1)
    is 'closed pipe mended began stopped told confirmed' "$(jq -r '.state + " " + .note + " " + ([.history[].what] | join(" "))' <<< "$one")" || return 1
    is 'M1:closed' "$(nilo leak list --state closed --format json | jq -r '[.rows[] | .serial + ":" + .state] | join(" ")')" && is M2 "$(nilo leak list --state open --format json | jq -r '[.rows[].serial] | join(" ")')" || return 1
    exits 0 nilo leak show "$case" && has "$said" mended && has "$(nilo leak list --format csv)" "$case" && is 1 "$(nilo leak list --format csv --state closed | grep -c "$case")"
}

# replayed RULE [FIGURE...]: begins a replay, waits until it is done, and tells its counts.
replayed() {
    local id
    id=$(nilo rule replay "$@" --format json | jq -r .id) || return 1
    while is_running=$(call GET "/v1/replays/$id" | head -n 1) && [[ $(jq -r .state <<< "$is_running") == running ]]; do nilo settle; done
    jq -r '"\(.state) came \(.came) gone \(.gone) moved \(.moved) same \(.same)"' <<< "$is_running"
}

a_replay_shows_what_other_figures_would_change_and_changes_nothing() {
    before=$(nilo flag list --format json | jq -c .rows)
    is 'done came 0 gone 0 moved 0 same 2' "$(replayed leak)" && is 'done came 0 gone 0 moved 0 same 1' "$(replayed stuck)" || return 1
    has "$(replayed leak least_lph=30)" 'done came 0 gone 1' || return 1
    id=$(nilo replay list --format json | jq -r '.rows[-1].id')
    is 'gone M2 P2 leak' "$(nilo replay flags "$id" --format json | jq -r '.rows[] | select(.change == "gone") | [.change, .serial, .point, .kind] | join(" ")')" || return 1
    is "$(nilo flag list --format json | jq -r '.rows[] | select(.serial == "M2").id')" "$(nilo replay flags "$id" --format json | jq -r '.rows[] | select(.change == "gone").flag')" || return 1
    is 'Z1 0 1 1' "$(call GET "/v1/replays/$id" | head -n 1 | jq -r '.zones[0] | "\(.name) \(.came) \(.gone) \(.moved + .same)"')" || return 1
    is 'done came 0 gone 0 moved 2 same 0' "$(replayed leak wait_hours=48)" || return 1 # told a day later
    is 'done came 0 gone 2 moved 0 same 0' "$(replayed leak --state off)" || return 1
    is 'done came 0 gone 0 moved 0 same 2' "$(replayed leak least_lph=30 --use-class commercial)" || return 1
    is "$before" "$(nilo flag list --format json | jq -c .rows)" && is 1 "$(nilo rule versions leak --format json | jq '.rows | length')" || return 1
    # A restart forgets none of it.
    local list flags
    list=$(nilo replay list --format json | jq -cS .rows) flags=$(nilo replay flags "$id" --format json | jq -cS .rows)
    nilod_stop && nilod_start --virtual-clock 2026-03-29T10:00:00+08:00 --order-rules orders.rules || return 1
    is "$list" "$(nilo replay list --format json | jq -cS .rows)" && is "$flags" "$(nilo replay flags "$id" --format json | jq -cS .rows)" || return 1
    has "$(token=viewer.token call POST /v1/rules/leak/replay '{}')" $'\n403' && has "$(token=south.token call GET /v1/replays)" $'\n403' || return 1
    has "$(call POST /v1/rules/high/replay '{}')" $'\n409' trial && has "$(call POST /v1/rules/nonsense/replay '{}')" $'\n404' && has "$(call POST /v1/rules/leak/replay '{"zone":"nowhere"}')" $'\n404' || return 1
    has "$(call POST /v1/rules/leak/replay '{"parameters":{"least_lph":0.1}}')" $'\n422' '"field":"least_lph"' && has "$(call POST /v1/rules/leak/replay '{"proposal":true}')" $'\n409' '"field":"proposal"' || return 1
    has "$(call GET /v1/replays/999)" $'\n404' && has "$(call GET /v1/replays/nonsense/flags)" $'\n404' && has "$(call POST /v1/replays/1/stop '{}')" $'\n404'
}

a_version_judges_from_its_day_on_and_alters_nothing_that_was_told() {
    said=$(call POST /v1/rules/leak '{"from":"2026-03-30","parameters":{"least_lph":30},"note":"only large ones"}')
    has "$said" $'\n201' '"version":2' '"least_lph":30' '"wait_hours":24' || return 1
    is 'M1:leak:confirmed M2:leak:open M3:stuck:open' "$(flags)" || return 1
    # The same small leak: before, M2 was told of; M4 is not any more, M5 with more is.
    { hours M4 88 5 $((base + 20 * 320)) 20 40; hours M5 88 5 $((base + 20 * 320)) 40 60; } | brought 2026-04-03T10:00:00+08:00 || return 1
    is 'M1:leak:confirmed M2:leak:open M3:stuck:open M5:leak:open' "$(flags)" || return 1
    nilod_stop && exits 0 "$build/nilo" store rebuild --store store && nilod_start --virtual-clock 2026-04-03T10:00:00+08:00 || return 1
    nilo settle && is 'M1:leak:confirmed M2:leak:open M3:stuck:open M5:leak:open' "$(flags)" || return 1
    # Switched off, nothing new is told; what stands, stands.
    exits 0 nilo rule set leak --from 2026-04-04 --state off || return 1
    hours M4 93 4 $((base + 20 * 320 + 5 * 800)) 100 120 | brought 2026-04-09T10:00:00+08:00 || return 1
    is 'M1:leak:confirmed M2:leak:open M3:stuck:open M5:leak:open' "$(flags)"
}

what_is_dismissed_makes_the_meter_s_own_figures_stricter() {
    is '0 180' "$(nilo meter rules M3 --format json | jq -r '.rows[] | select(.rule == "stuck") | "\(.dismissed) \(.parameters.household_hours)"')" || return 1
    exits 0 nilo flag dismiss "$(nilo flag list --serial M3 --format json | jq -r '.rows[0].id')" --note 'second home' || return 1
    is '0 180' "$(nilo meter rules M3 --format json | jq -r '.rows[] | select(.rule == "stuck") | "\(.dismissed) \(.parameters.household_hours)"')" || return 1
    nilo clock set 2026-04-10T10:00:00+08:00 > /dev/null
    is '1 225' "$(nilo meter rules M3 --format json | jq -r '.rows[] | select(.rule == "stuck") | "\(.dismissed) \(.parameters.household_hours)"')" || return 1
    is '0 180' "$(nilo meter rules M4 --format json | jq -r '.rows[] | select(.rule == "stuck") | "\(.dismissed) \(.parameters.household_hours)"')" || return 1
    has "$(call GET /v1/meters/NOBODY/rules)" $'\n404' && has "$(token=south.token call GET /v1/meters/M1/rules)" $'\n403' || return 1
    # Somebody thought better of it: as if it had never been dismissed.
    exits 0 nilo flag confirm "$(nilo flag list --serial M3 --format json | jq -r '.rows[0].id')" --note 'meter is stuck' && nilo settle || return 1
    is '0 180' "$(nilo meter rules M3 --format json | jq -r '.rows[] | select(.rule == "stuck") | "\(.dismissed) \(.parameters.household_hours)"')" || return 1
    is 'replace' "$(nilo field list --kind stuck --format json | jq -r '.rows[].act')"
}

# Eleven households with leaks; of ten of them nothing was found.
a_rule_that_misses_its_target_is_proposed_stricter_and_set_by_nobody() {
    nilod_stop && rm -r store && nilod_start --virtual-clock 2026-03-19T10:00:00+08:00 || return 1
    printf 'zone\nZ1\nZ2\n' | nilo import zones - > /dev/null
    { echo serial,dn,q3,model; for m in $(seq 10 20); do echo "K$m,15,2.5,$([[ $m -lt 15 ]] && echo A || echo B)"; done; } | nilo import meters - > /dev/null
    { echo point,use_class,zone; for m in $(seq 10 20); do echo "Q$m,residential,$([[ $m -lt 13 ]] && echo Z1 || echo Z2)"; done; } | nilo import points - > /dev/null
    { echo point,serial,from,start_index_l; for m in $(seq 10 20); do echo "Q$m,K$m,2026-02-20T00:00:00+08:00,0"; done; } | nilo import fittings - > /dev/null
    for m in $(seq 10 20); do hours "K$m" 50 18 0 0 20; hours "K$m" 68 4 $((18 * 320)) "$((m - 6))" 20; done | sort -u | brought || return 1
    is 11 "$(nilo flag list --kind leak --format json | jq '.rows | length')" || return 1
    is 'unknown null' "$(nilo flag precision --by rule --kind leak --format json | jq -r '.rows[0] | "\(.verdict) \(.precision)"')" || return 1
    for id in $(nilo flag list --kind leak --format json | jq -r '.rows[0:10][].id'); do nilo flag dismiss "$id" --note nothing > /dev/null || return 1; done
    nilo flag confirm "$(nilo flag list --kind leak --format json | jq -r '.rows[10].id')" --note 'a toilet' > /dev/null || return 1
    row=$(nilo flag precision --by rule --kind leak --format json | jq -c '.rows[0]')
    is 'below 1 10 0.091 0.95 1.25 30 null' "$(jq -r '[.verdict, .confirmed, .dismissed, .precision, .target, (.proposal.parameters.least_lph / '"$(nilo rule show leak --format json | jq '.parameters[] | select(.name == "least_lph").value')"'), .proposal.parameters.wait_hours, (.replay | tostring)] | map(tostring) | join(" ")' <<< "$row")" || return 1
    is 'A 0 5 B 1 5' "$(nilo flag precision --by model --format json | jq -r '[.rows[] | .name, .confirmed, .dismissed] | map(tostring) | join(" ")')" && is 'Z1 0 3 Z2 1 7' "$(nilo flag precision --by zone --format json | jq -r '[.rows[] | .name, .confirmed, .dismissed] | map(tostring) | join(" ")')" || return 1
    has "$(call GET '/v1/flag-precision?by=street')" $'\n422' && has "$(call GET '/v1/flag-precision?kind=nonsense')" $'\n422' || return 1
    said=$(replayed leak --proposal) && has "$said" 'done came 0' || return 1
    is 'done' "$(nilo flag precision --by rule --kind leak --format json | jq -r '.rows[0].replay.state')" && is 1 "$(nilo rule versions leak --format json | jq '.rows | length')"
}

hold figures_of_flags_are_rules_like_others crews_get_what_is_worth_most_and_neither_small_leaks_nor_the_unsure a_leak_is_a_case_with_what_flowed_what_it_costs_and_what_was_done \
    a_replay_shows_what_other_figures_would_change_and_changes_nothing a_version_judges_from_its_day_on_and_alters_nothing_that_was_told \
    what_is_dismissed_makes_the_meter_s_own_figures_stricter a_rule_that_misses_its_target_is_proposed_stricter_and_set_by_nobody
hold_end
