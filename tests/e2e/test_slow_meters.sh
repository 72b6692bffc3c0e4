#!/usr/bin/env bash
# What shows in months, over a real nilod: a meter that registers half of each draw is slow, and one that wears out; fewer people are not; a home behind a meter for a works is oversize; a rebuild, and readings that
# come day by day or a gap filled late, give the same flags. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

flags_of() { nilo flag list --kind "$2" --format ndjson | grep "\"serial\":\"$1\""; }

onset_and_loss() { python3 -c 'import json,sys
f=[f for f in map(json.loads, sys.stdin) if f["state"] == "open"]
print(*[(x["onset"], round(x["lost_lpd"] / 30)) for x in f])'; }

# SLOW: half of each draw from 2025-10-01 on. LEFT: one of three people leaves. BIG: a home behind DN40. LATE: as SLOW, but of September and October nothing has come yet. WORN: from May to December a little less of each draw from day to day.
world() {
    { echo serial,dn,q3,resolution_l; echo SLOW,15,2.5,1; echo LEFT,15,2.5,1; echo BIG,40,16,1; echo LATE,15,2.5,1; echo WORN,15,2.5,1; } > meters.csv
    { echo point,use_class; for p in SLOW LEFT BIG LATE WORN; do echo "P$p,residential"; done; } > points.csv
    { echo point,serial,from,start_index_l; for p in SLOW LEFT BIG LATE WORN; do echo "P$p,$p,2025-01-01T00:00:00+08:00,0"; done; } > fittings.csv
    python3 - <<'END'
import random
from datetime import datetime, timedelta
begin = datetime.fromisoformat('2025-01-01T00:00:00+08:00')
change, end, gap, wears = (datetime.fromisoformat(x + 'T00:00:00+08:00') for x in ('2025-10-01', '2026-01-10', '2025-09-01', '2025-05-01'))
files = {n: open(n + '.csv', 'w') for n in ('readings', 'later', 'late')}
for f in files.values(): print('serial,time,index_l', file=f)
for serial in ('SLOW', 'LEFT', 'BIG', 'LATE', 'WORN'):
    rng, shown, at = random.Random(7), 0.0, begin
    while at < end:
        people = 2 if serial == 'LEFT' and at >= change else 3
        busy = 0.1 if at.hour < 6 else 2 if at.hour < 9 else 0.6 if at.hour < 17 else 1.6
        litres = 0
        for often, least, most in ((0.25, 6, 6), (0.5, 0.5, 5), (0.035, 30, 80)):
            for _ in range(10):
                if rng.random() < often * people * busy / 10: litres += rng.uniform(least, most)
        worn = 1 - 0.45 * max(0, min(1, (at - wears) / timedelta(days=240))) if serial == 'WORN' else 1
        shown += litres * worn * (0.5 if serial in ('SLOW', 'LATE') and at >= change else 1)
        at += timedelta(hours=1)
        name = 'late' if serial == 'LATE' and gap <= at < datetime.fromisoformat('2025-11-01T00:00:00+08:00') else 'later' if at >= datetime.fromisoformat('2025-11-15T00:00:00+08:00') else 'readings'
        print(serial, at.isoformat(), int(shown), sep=',', file=files[name])
END
    local list
    for list in meters points fittings readings; do nilo import $list $list.csv || return 1; done
    nilo settle
}

a_meter_that_shows_half_of_each_draw_is_slow() {
    nilo import readings later.csv > said || return 1
    nilo settle
    has "$(flags_of SLOW slow)" '"state":"open"' '"onset":"2025-09-30T16:00:00Z"' 'Suspect: since about 2025-10-01' '疑似慢走' || return 1
    is True "$(flags_of SLOW slow | python3 -c 'import json,sys
f=json.load(sys.stdin); e=f["evidence"]
print(40 < e["draw_size_pct"] < 60 and 0.7 < f["lost_lpd"] / e["use_since_lpd"] < 1.4 and f["raised_at"] >= f["onset"])')"
}

a_meter_that_wears_out_is_slow_too() {
    has "$(flags_of WORN slow)" '"state":"open"' 'of the month before' '似逐渐磨损' '"month_pct":9'
}

fewer_people_are_not() { is '' "$(flags_of LEFT slow)"; }

a_home_behind_a_meter_for_a_works_is_oversize() {
    has "$(flags_of BIG oversize)" '"state":"open"' 'Fit a smaller one' '宜改用小口径' || return 1
    is '' "$(flags_of SLOW oversize)"
}

what_comes_late_counts_as_if_it_had_come_in_time() {
    nilo import readings late.csv > said || return 1
    nilo settle
    has "$(flags_of LATE slow)" '"state":"open"' || return 1
    is "$(flags_of SLOW slow | onset_and_loss)" "$(flags_of LATE slow | onset_and_loss)" # each on its own day of the month
}

a_rebuild_finds_the_same_flags() { flags_survive_a_rebuild 2026-01-11T08:00:00+08:00; }

nilod_start --tz Asia/Shanghai --virtual-clock 2026-01-11T08:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold a_meter_that_shows_half_of_each_draw_is_slow a_meter_that_wears_out_is_slow_too fewer_people_are_not a_home_behind_a_meter_for_a_works_is_oversize what_comes_late_counts_as_if_it_had_come_in_time \
    a_rebuild_finds_the_same_flags
hold_end
