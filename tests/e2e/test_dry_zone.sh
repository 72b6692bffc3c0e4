#!/usr/bin/env bash
# A zone without water over a real nilod: its meters stand still together, which is one flag of the zone and no meter's fault. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# A01 to A12 are in the zone EAST, B01 to B12 in WEST; readings come by the hour, as imported. From noon of the 21st on nothing flows in EAST for 12 days. B01 stops then, too, and stays so; others of WEST go on. Behind A12 30 L an hour leak from the 11th on; when water flows again, after noon of 2 April, tanks behind A11 and A12 fill with 900 L an hour for nine hours. C01 to C13 are works in SOUTH, which stand together for two days from that noon on. A13 of EAST is out of reach from the 21st on, and brings its readings when water flows again.
world() {
    local m z
    printf 'zone,name\nEAST,East\nWEST,West\nSOUTH,South\n' > zones.csv
    { echo serial,dn,q3; for z in A B C; do for m in {01..13}; do echo "$z$m,15,2.5"; done; done; } > meters.csv
    { echo point,zone,use_class; for m in {01..13}; do echo "PA$m,EAST,residential"; echo "PB$m,WEST,residential"; echo "PC$m,SOUTH,industrial"; done; } > points.csv
    { echo point,serial,from,start_index_l; for z in A B C; do for m in {01..13}; do echo "P$z$m,$z$m,2026-03-01T00:00:00+08:00,0"; done; done; } > fittings.csv
    for list in zones meters points fittings; do nilo import $list $list.csv || return 1; done
}
# readings FROM TO: of the days [from, to), then the clock stands at 02:00 of the day `to`.
readings() {
    python3 - "$1" "$2" > readings.csv <<'END'
import sys
from datetime import datetime, timedelta
begin = datetime.fromisoformat('2026-03-01T00:00:00+08:00')
first, last = int(sys.argv[1]) * 24, int(sys.argv[2]) * 24
use = [0, 0, 0, 0, 0, 5, 40, 60, 10, 5, 0, 20, 30, 5, 0, 0, 10, 40, 70, 60, 30, 20, 10, 0]
print('serial,time,index_l')
for zone in 'ABC':
    for m in range(1, 14):
        index = 0
        away = zone == 'A' and m == 13
        for h in range(last + 1):
            if (h > 480 if last > 768 else h >= first and h <= 480) if away else h >= first:
                print(f'{zone}{m:02d},{(begin + timedelta(hours=h)).isoformat()},{index}')
            dry = 492 <= h < 780 if zone == 'A' else m == 1 and h >= 492 if zone == 'B' else 492 <= h < 538
            index += 0 if dry else use[(h + m % 3) % 24] + (h * m) % 7
            if zone == 'A' and not dry:
                index += (30 if m == 12 and h >= 240 else 0) + (900 if m in (11, 12) and 780 <= h < 789 else 0)
END
    nilo clock set "$(date -u -d "2026-02-28T18:00:00Z + $2 days" +%FT%TZ)" > /dev/null && nilo import readings readings.csv > /dev/null && nilo settle
}
flags() { nilo flag list --format ndjson | python3 -c 'import json,sys
for f in (f for f in map(json.loads, sys.stdin) if "end" not in f):
    print(f["kind"], f.get("zone", f.get("serial")), f["state"], *[f["evidence"].get(k) for k in sys.argv[1:]])' "$@"; }

who_uses_water_is_told_of_nothing_and_who_leaks_is() {
    readings 0 20 || return 1
    is 'leak A12 open' "$(flags)"
}

a_zone_that_stands_still_together_is_one_flag() {
    readings 20 22 || return 1 # since noon of the 21st, day 20
    is 'outage EAST open 12 12
leak A12 open None None' "$(flags still meters)" || return 1
    has "$(nilo flag list --kind outage --format ndjson)" '"zone":"EAST"' '12 of the 12 meters of this zone stand still together since 2026-03-21' 'no meter is to be changed' '疑似区域停水'
}

its_meters_are_not_stuck_but_another_is_and_no_leak_has_stopped() {
    readings 22 32 || return 1
    is 'outage EAST open
leak A12 open
stuck B01 open' "$(flags)"
}

it_ends_when_water_flows_again_and_what_fills_is_no_burst() {
    readings 32 35 || return 1
    is 'outage EAST cleared
leak A12 open
stuck B01 open' "$(flags)"
}

a_rebuild_finds_the_same_flags() { flags_survive_a_rebuild 2026-04-04T18:00:00Z; }

nilod_start --tz Asia/Shanghai --virtual-clock 2026-03-01T02:00:00Z
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold who_uses_water_is_told_of_nothing_and_who_leaks_is a_zone_that_stands_still_together_is_one_flag its_meters_are_not_stuck_but_another_is_and_no_leak_has_stopped it_ends_when_water_flows_again_and_what_fills_is_no_burst a_rebuild_finds_the_same_flags
hold_end
