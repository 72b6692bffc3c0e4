#!/usr/bin/env bash
# Service points by whose they are and what for, now and then, against a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

post() { curl -s -o answer -w '%{http_code}' -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Content-Type: application/json' -d "$2" "$NILO_SERVER$1"; }
points() { nilo point list "$@" --format csv --show point | tail -n +2 | tr '\n' ' '; }
# at TIME FACT VALUE...: what point P was then.
at() {
    local time=$1
    shift
    said=$(nilo point show P --as-of "$time" --format json) || return 1
    while [[ $# -gt 0 ]]; do
        has "$said" "\"$1\":$2" || return 1
        shift 2
    done
}

a_combination_meter_is_two_points_of_one_account() {
    printf 'point,account,use_class\nC-MAIN,A-77,commercial\nC-BYPASS,A-77,commercial\nHOUSE,A-7,residential\nPOST,,hydrant\nPARK,A-9,public\n' | nilo import points - > /dev/null
    is 'C-BYPASS C-MAIN ' "$(points --account A-77)" && is 'C-MAIN ' "$(points --account A-77 --after "$(nilo point list --account A-77 --limit 1 --format json | grep -oE '"next":"[^"]*"' | cut -d'"' -f4)")" || return 1
    is '' "$(points --account A-7777)"
}

points_are_found_by_what_the_water_is_for() {
    is 'POST ' "$(points --use-class hydrant)" && is 'PARK ' "$(points --use-class public)" && is 'HOUSE ' "$(points --use-class residential)" || return 1
    is 'C-BYPASS C-MAIN ' "$(points --use-class commercial --account A-77)" && is '' "$(points --use-class public --account A-77)" || return 1
    exits 1 nilo point list --use-class garden && has "$said" use_class hydrant
}

all_that_is_told_of_a_point_has_its_dates() {
    printf 'zone\nZ1\nZ2\n' | nilo import zones - > /dev/null
    printf 'route\nR1\nR2\n' | nilo import routes - > /dev/null
    is 201 "$(post /v1/points '{"point":"P","account":"A1","address":"1 Mill Lane","lon":121.5,"lat":29.87,"use_class":"residential","zone":"Z1","route":"R1","route_seq":10}')" || return 1
    is 200 "$(post /v1/clock '{"now":"2026-03-05T00:00:00Z"}')" || return 1
    is 200 "$(post /v1/points '{"point":"P","account":"A2","use_class":"commercial"}')" || return 1
    is 200 "$(post /v1/clock '{"now":"2026-03-09T00:00:00Z"}')" || return 1
    is 200 "$(post /v1/points '{"point":"P","address":"2 Mill Lane","lon":121.6,"lat":29.88,"zone":"Z2","route":"R2","route_seq":5}')" || return 1
    at 2026-03-04T23:59:59Z account '"A1"' address '"1 Mill Lane"' lon 121.5 lat 29.87 use_class '"residential"' zone '"Z1"' route '"R1"' route_seq 10 || return 1
    at 2026-03-05T00:00:00Z account '"A2"' address '"1 Mill Lane"' use_class '"commercial"' zone '"Z1"' route '"R1"' route_seq 10 || return 1
    at 2026-03-09T00:00:00Z account '"A2"' address '"2 Mill Lane"' lon 121.6 lat 29.88 use_class '"commercial"' zone '"Z2"' route '"R2"' route_seq 5 || return 1
    # Lists say the same.
    is '' "$(points --account A1)" && is 'P ' "$(points --account A2)" && is 'P ' "$(points --account A1 --as-of 2026-03-04T00:00:00Z)" || return 1
    is '' "$(points --account A2 --as-of 2026-03-04T00:00:00Z)" && is 'P ' "$(points --zone Z1 --as-of 2026-03-08T00:00:00Z)" && is 'P ' "$(points --zone Z2)" || return 1
    is 'P ' "$(points --use-class residential --zone Z1 --as-of 2026-03-04T00:00:00Z)" && is 'P ' "$(points --use-class commercial --route R2)" && is '' "$(points --route R1)"
}

nilod_start --virtual-clock 2026-03-02T02:00:00Z
hold a_combination_meter_is_two_points_of_one_account points_are_found_by_what_the_water_is_for all_that_is_told_of_a_point_has_its_dates
hold_end
