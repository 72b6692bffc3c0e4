#!/usr/bin/env bash
# What a day sheet says was used, and its checks, are those of GET consumption over the same span, though it reads less of each meter's life: over random lives with gaps, falls, spikes,
# re-bases, roll-overs, still weeks, exchanges, and reads by hand. SEED=N makes the same lives again.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

seed=${SEED:-$RANDOM}
nilod_start --tz Europe/Madrid --virtual-clock 2026-04-20T12:00:00+02:00
python3 - "$seed" <<'END'
import random, sys
from datetime import datetime, timedelta, timezone
r = random.Random(int(sys.argv[1]))
files = {n: open(n + '.csv', 'w') for n in ('routes', 'meters', 'points', 'fittings', 'readings')}
def put(name, *cells): print(*cells, sep=',', file=files[name])
put('routes', 'route', 'days'); put('routes', 'R', '"1,11,21"')
put('meters', 'serial', 'dn', 'q3', 'digits', 'register'); put('points', 'point', 'route', 'route_seq')
put('fittings', 'point', 'serial', 'from', 'start_index_l', 'to', 'end_index_l'); put('readings', 'serial', 'time', 'index_l', 'channel', 'source')
begin = datetime(2025, 11, 30, 23, tzinfo=timezone.utc)
hours = 24 * 140
def life(serial, first, last, index, modulus, net):
    """hourly rows of one meter; its last index"""
    kind = r.choice(('plain', 'plain', 'gaps', 'daily', 'falls', 'still', 'spikes', 'odd'))
    h, rows, off = first, 0, 0
    while h < last:
        day = h // 24
        flow = 0 if kind == 'still' and day % 29 > 12 else r.choice((0, 0, 3, 12, 40)) + (900 if kind == 'spikes' and r.random() < .01 else 0)
        index += -min(flow, index) if net and r.random() < .2 else flow
        told, at = (index + off) % modulus, begin + timedelta(hours=h)
        if kind == 'falls' and r.random() < .002: off = -r.randint(0, index // 2)  # re-based from here on
        if kind == 'falls' and r.random() < .01: told = max(0, told - r.randint(1, 3000))
        if kind == 'odd' and r.random() < .02: told = (told + 5 * 10**6) % modulus
        skip = kind == 'gaps' and (day % 17 > 14 or r.random() < .3) or kind == 'daily' and h % 24
        if not skip or r.random() < .01:
            put('readings', serial, (at + timedelta(seconds=r.choice((0, 0, 0, 0, 600)))).isoformat(), told, '', r.choice(('', '', '', 'manual')) if kind == 'odd' else '')
        h += 1
    return index
for i in range(60):
    point, net = f'P{i:02}', r.random() < .15
    digits = r.choice((4, 5))
    put('points', point, 'R', i)
    cuts = sorted({0, hours} | {r.randrange(24 * 30, hours) for _ in range(r.choice((0, 0, 1, 2)))})
    for n, (first, last) in enumerate(zip(cuts, cuts[1:])):
        serial, start = f'M{i:02}{n}', r.choice((0, 500, 10**digits * 1000 - 20000))
        put('meters', serial, 15, 2.5, digits, 'net' if net else 'forward')
        end = life(serial, first, last, start, 10**digits * 1000, net)
        shut = last < hours
        put('fittings', point, serial, (begin + timedelta(hours=first)).isoformat(), start, (begin + timedelta(hours=last, minutes=-1)).isoformat() if shut else '', end % (10**digits * 1000) if shut else '')
END
for list in routes meters points fittings readings; do nilo import $list $list.csv > imported 2>&1 || { cat imported; exit 1; }; done
nilo settle

use_and_checks_are_those_of_consumption() {
    for date in 2026-02-01 2026-03-01 2026-03-29 2026-03-30 2026-04-11 2026-04-19; do
        nilo route day R --date $date --format ndjson | sed '$d' > sheet || return 1
        python3 - "$date" <<'END' || { echo "      SEED=$seed"; return 1; }
import json, os, sys, urllib.request
token = open(os.environ['NILO_TOKEN_FILE']).read().strip()
known = checked = wrong = 0
for row in map(json.loads, open('sheet')):
    q = urllib.request.Request(f"{os.environ['NILO_SERVER']}/v1/points/{row['point']}/consumption?from={row['use_from']}&to={row['due_at']}", headers={'Authorization': 'Bearer ' + token})
    c = json.load(urllib.request.urlopen(q))
    known += c['consumption_l'] is not None
    checked += bool(c.get('checks'))
    if row.get('use_l') != c['consumption_l'] or (row.get('checks') or []) != (c.get('checks') or []):
        wrong += 1
        print('     ', sys.argv[1], row['point'], 'sheet', row.get('use_l'), row.get('checks'), 'consumption', c['consumption_l'], c.get('checks'), c['quality'], c.get('method'))
print(f'        {sys.argv[1]}: {known} known, {checked} with checks, {wrong} wrong')
sys.exit(wrong or known < 20)
END
    done
}

hold use_and_checks_are_those_of_consumption
hold_end
