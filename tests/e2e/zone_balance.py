"""Water balances held against a reckoning of their own, in fractions: zones by the dice, with inlets, outlets, boundaries, zones inside, hydrants and meters that fall silent."""
import datetime as dt
import random
import sys
import urllib.parse
from fractions import Fraction as F

from asking import ask, call, do, run, same, settle, take

DICE = random.Random(int(sys.argv[1]))
ZONE = dt.timezone(dt.timedelta(hours=8))
BEGIN = dt.datetime(2026, 3, 2, tzinfo=ZONE)
HALVES = 2 * 24 * 3 + 2  # half hours of which meters tell, from one before the span
CLASSES = ['residential', 'residential', 'commercial', 'industrial', 'public', 'hydrant']
ZONES = {}   # name → cells
POINTS = {}  # name → (zone, class)
READS = {}   # point → {time: litres}
REVERSE = {}
BOUNDS = []  # zone, point, direction


def number(v):
    return None if v is None else F(str(v))


def z(at):
    return at.astimezone(dt.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def half(n):
    return BEGIN + dt.timedelta(minutes=30 * (n - 1))


def add_point(name, zone, use, flow, holes=0.0, silent=False, step=1, back=0):
    POINTS[name] = (zone, use)
    index, reverse, READS[name], REVERSE[name] = 100, 50, {}, {}
    gone = DICE.randrange(20, 100) if silent else HALVES
    for n in range(0, HALVES + 2):
        if n <= gone and (n % step == 1 or step == 1) and (DICE.random() >= holes or half(n).hour == 0):
            READS[name][half(n)] = index
            if back:
                REVERSE[name][half(n)] = reverse
        index += flow(n)
        reverse += DICE.randrange(back) if back else 0


def add_zone(name, parent='', kind='dma'):
    cells = {'kind': kind, 'parent': parent}
    if kind != 'region':
        for key, value in (('mains_km', DICE.choice(['0.16', '0.0035', '12.5', ''])), ('outlet_pressure_mpa', DICE.choice(['0.35', '0.351', '0.6', '0.9', ''])),
                           ('frost_m', DICE.choice(['0', '1.4', '1.41', ''])), ('household_share', DICE.choice(['', '0.375', '0.333333'])),
                           ('billed_unmetered_lpd', DICE.choice(['', '1234.5'])), ('free_unmetered_lpd', DICE.choice(['', '777'])),
                           ('publish_pct', DICE.choice(['', '', '50', '100']))):
            cells[key] = value
    ZONES[name] = cells


def build():
    for city in range(6):
        top = f'C{city}'
        if city == 5:
            add_zone(top, kind='region')
            for n in (0, 1):
                ZONES[f'C{n}']['parent'] = top
            continue
        add_zone(top)
        below = [top]
        for n in range(DICE.randrange(3)):
            below.append(f'{top}-{n}')
            add_zone(below[-1], DICE.choice(below[:-1]))
        for zone in below:
            for n in range(DICE.choice([0, 1, 1, 2]) if zone != top else DICE.choice([1, 2])):
                back = DICE.choice([0, 0, 90])  # litres a half hour that may flow back: of meters that tell always
                add_point(f'{zone}-in{n}', zone, 'zone-inlet', lambda i: DICE.randrange(900, 5000), holes=0 if back else DICE.choice([0, 0, 0.3]),
                          silent=not back and DICE.random() < .08, back=back)
            if DICE.random() < .4:
                add_point(f'{zone}-out', zone, 'zone-outlet', lambda i: DICE.randrange(100))
            for n in range(DICE.randrange(9)):
                add_point(f'{zone}-k{n}', zone, DICE.choice(CLASSES), lambda i: DICE.choice([0, 0, DICE.randrange(300)]),
                          silent=DICE.random() < .06, step=DICE.choice([1, 1, 2]))
    for _ in range(3):
        gate = DICE.choice([p for p, (_, use) in POINTS.items() if use == 'zone-inlet'])
        zone = DICE.choice([n for n in ZONES if n != POINTS[gate][0] and n != 'C5'])
        if not any(b[:2] == (zone, gate) for b in BOUNDS):
            BOUNDS.append((zone, gate, DICE.choice(['in', 'out'])))
    keys = ['parent', 'kind', 'mains_km', 'outlet_pressure_mpa', 'frost_m', 'household_share', 'billed_unmetered_lpd', 'free_unmetered_lpd', 'publish_pct']
    take('zones', ['zone,' + ','.join(keys)] + [n + ',' + ','.join(c.get(k, '') for k in keys) for n, c in sorted(ZONES.items(), key=lambda e: (e[0] != 'C5', e[0]))])
    take('points', ['point,zone,use_class'] + [f'{p},{zone},{use}' for p, (zone, use) in POINTS.items()])
    take('meters', ['serial,dn,q3,register'] + [f'm{p},100,100,{"both" if REVERSE[p] else "forward"}' for p in POINTS])
    take('fittings', ['point,serial,from,start_index_l'] + [f'{p},m{p},{z(half(0) - dt.timedelta(days=20))},0' for p in POINTS])
    take('readings', ['serial,time,index_l,channel'] + [f'm{p},{z(at)},{v},{channel}' for channel, reads in (('forward', READS), ('reverse', REVERSE))
                                                        for p in POINTS for at, v in reads[p].items()])
    if BOUNDS:
        take('boundaries', ['zone,point,direction'] + [','.join(b) for b in BOUNDS])
    settle()


# ---- the reckoning ----

def below(zone):
    found = [zone]
    for name in found:
        found += [n for n, c in ZONES.items() if c['parent'] == name]
    return found


def used(point, begin, end):
    """Litres, and whether they were read; between readings as the point's own answer says."""
    reads, back = READS[point], REVERSE[point]
    if begin in reads and end in reads:
        return F(reads[end] - reads[begin]) - (back[end] - back[begin] if back else 0), True
    c = ask(f'/v1/points/{point}/consumption?from={z(begin)}&to={z(end)}')
    return number(c['consumption_l']), c['quality'] == 'actual'


def milli(text):
    return F(text) if text else None


def gates_of(zone):
    gates = {p: 1 if use == 'zone-inlet' else -1 for p, (at, use) in POINTS.items() if at == zone and use in ('zone-inlet', 'zone-outlet')}
    gates.update({p: 1 if way == 'in' else -1 for at, p, way in BOUNDS if at == zone})
    return gates


def two(share):
    """Half away from zero."""
    scaled = abs(share) * 100
    whole = int(scaled + F(1, 2))
    return F(whole, 100) * (1 if share >= 0 else -1)


def reckon(zone, begin, end):
    cells, gates, days = ZONES[zone], gates_of(zone), F(int((end - begin).total_seconds()), 86400)
    r = {'missing': [], 'inflow': F(0)}
    for p, sign in gates.items():
        litres, actual = used(p, begin, end)
        if not actual:
            r['missing'].append(p)
        r['inflow'] = None if litres is None or r['inflow'] is None else r['inflow'] + sign * litres
    gates_read = not r['missing']
    due, read, use, r['estimated'] = 0, 0, dict.fromkeys(CLASSES, F(0)), F(0)
    inside = set(below(zone))
    for p, (at, kind) in POINTS.items():
        if at not in inside or kind.startswith('zone-'):
            continue
        due += 1
        litres, actual = used(p, begin, end)
        read += actual
        if not actual:
            r['missing'].append(p)
            r['estimated'] += litres or 0
        use[kind] += litres or 0
    r['missing'].sort()
    r['due'], r['read'] = due, read
    publish = milli(cells['publish_pct']) if cells['publish_pct'] else 98
    inlet = any(sign > 0 for sign in gates.values())
    if not inlet:
        r['inflow'] = None
    r['published'] = inlet and gates_read and r['inflow'] is not None and 100 * read >= publish * due
    r['inputs'] = [k for k in ('mains_km', 'outlet_pressure_mpa', 'frost_m') if not cells[k]]
    r['shares'] = dict.fromkeys(['r_wl', 'r1', 'r2', 'r3', 'r4', 'rn', 'r_bl', 'nrw'])
    if not r['published']:
        return r
    r['billed'] = use['residential'] + use['commercial'] + use['industrial'] + (milli(cells['billed_unmetered_lpd']) or 0) * days
    r['unbilled'] = use['public'] + use['hydrant'] + (milli(cells['free_unmetered_lpd']) or 0) * days
    inflow = r['inflow']
    r['loss'] = inflow - r['billed'] - r['unbilled']
    if inflow <= 0:
        return r
    s = r['shares']
    s['r_wl'], s['nrw'] = 100 * r['loss'] / inflow, 100 * (inflow - r['billed']) / inflow
    s['r1'] = 8 * milli(cells['household_share']) if cells['household_share'] else 8 * use['residential'] / inflow
    if cells['mains_km']:
        supply = inflow * 365 / days / 10**7
        s['r2'] = max(F(-3), min(F(3), 99 * (milli(cells['mains_km']) / supply - F('0.0693'))))
    if cells['outlet_pressure_mpa']:
        mpa = milli(cells['outlet_pressure_mpa'])
        s['r3'] = F(0) if mpa <= F('0.35') else F(1, 2) if mpa <= F('0.55') else F(1) if mpa <= F('0.75') else F(2)
    if cells['frost_m']:
        s['r4'] = F(1) if milli(cells['frost_m']) > F('1.4') else F(0)
    if not r['inputs']:
        s['rn'] = s['r1'] + s['r2'] + s['r3'] + s['r4']
        s['r_bl'] = s['r_wl'] - s['rn']
    return r


def nights_of(zone, begin, days):
    """{night: (from, flow) or why}."""
    gates, found = gates_of(zone), {}
    inside = set(below(zone))
    for day in range(days):
        start = begin + dt.timedelta(days=day)
        best = None
        for n in (0, 1, 2):
            at = start + dt.timedelta(hours=2, minutes=30 * n)
            to = at + dt.timedelta(hours=1)
            if gates and all(at in READS[p] and to in READS[p] for p in gates):
                flow = sum(sign * used(p, at, to)[0] for p, sign in gates.items())
                if best is None or flow < best[1]:
                    best = (at, flow)
        moved = False
        for p, (at, kind) in POINTS.items():
            if at in inside and kind == 'hydrant':
                seen = [v for t, v in READS[p].items() if start + dt.timedelta(hours=2) <= t <= start + dt.timedelta(hours=4)]
                moved |= bool(seen) and seen[0] != seen[-1]
        found[start.date().isoformat()] = 'hydrant' if moved else best or 'inlet'
    return found


def balance(zone, begin, end):
    return ask(f'/v1/zones/{zone}/balance?from={urllib.parse.quote(begin.isoformat())}&to={urllib.parse.quote(end.isoformat())}')


def spans():
    return [(BEGIN, BEGIN + dt.timedelta(days=d)) for d in (1, 3)] + [(BEGIN + dt.timedelta(hours=5), BEGIN + dt.timedelta(hours=30))]


# ---- claims ----

def every_figure_is_that_of_the_fractions():
    published = 0
    for zone in ZONES:
        for begin, end in spans():
            if zone == 'C5':
                continue
            r, a = reckon(zone, begin, end), balance(zone, begin, end)
            what = f'{zone} {begin} {end}'
            same((a['published'], a['children_due'], a['children_read'], a['missing']), (r['published'], r['due'], r['read'], r['missing']), what)
            same(number(a['completeness_pct']), F(r['read'] * 10000 // r['due'], 100) if r['due'] else F(100), what)
            same(number(a['inflow_l']), r['inflow'], what)
            same(number(a['estimated_l']), r['estimated'], what)
            same(a['missing_inputs'], r['inputs'], what)
            published += r['published']
            if r['published']:
                for key in ('billed', 'unbilled', 'loss'):
                    same(number(a[key + '_l']), two(r[key] * 10) / 10, f'{what} {key}')
            else:
                same([a[k] for k in ('billed_l', 'unbilled_l', 'registered_l', 'loss_l', 'grade')], [None] * 5, what)
            for key, share in r['shares'].items():
                same(number(a[key + '_pct']), None if share is None else two(share), f'{what} {key}')
            bl = r['shares']['r_bl']
            same(a['grade'], None if bl is None else 'I' if bl <= 10 else 'II' if bl <= 12 else 'none', what)
            same([w['code'] for w in a['warnings']], ['children-exceed-inflow'] if r['published'] and r['loss'] < 0 else [], what)
    if not published:
        raise AssertionError('nothing was published: the dice show nothing')


def nights_are_those_of_the_readings():
    begin, end = BEGIN, BEGIN + dt.timedelta(days=3)
    for zone in ZONES:
        a, want = balance(zone, begin, end), nights_of(zone, begin, 3) if zone != 'C5' else {}
        same({n['night']: n['why'] for n in a['nights_left_out']}, {n: w for n, w in want.items() if isinstance(w, str)}, zone)
        kept = {n: w for n, w in want.items() if not isinstance(w, str)}
        same({n['night']: (n['from'], number(n['flow_lph'])) for n in a['nights']}, {n: (z(at), flow) for n, (at, flow) in kept.items()}, zone)
        flows = sorted(flow for _, flow in kept.values())
        middle = None if not flows else flows[len(flows) // 2] if len(flows) % 2 else (flows[len(flows) // 2 - 1] + flows[len(flows) // 2]) / 2
        same(number(a['night_flow_lph']), middle, zone)
        for n in a['nights']:
            if n['use_lph'] is not None:
                same(number(n['net_lph']), number(n['flow_lph']) - number(n['use_lph']), zone)


def a_region_is_the_sum_of_its_children():
    begin, end = spans()[0]
    children = [reckon(n, begin, end) for n in ('C0', 'C1')]
    a = balance('C5', begin, end)
    same(a['published'], all(c['published'] for c in children), 'published')
    same((a['children_due'], a['children_read']), tuple(sum(c[k] for c in children) for k in ('due', 'read')), 'due and read')
    same([p['zone'] for p in a['parts']], ['C0', 'C1'], 'parts')
    same([number(p['r_bl_pct']) for p in a['parts']], [None if c['shares']['r_bl'] is None else two(c['shares']['r_bl']) for c in children], 'parts')
    if a['published']:
        inflow = sum(c['inflow'] for c in children)
        same(number(a['inflow_l']), inflow, 'inflow')
        same(number(a['r_wl_pct']), two(100 * sum(c['loss'] for c in children) / inflow), 'r_wl')
        if all(c['shares']['r_bl'] is not None for c in children):
            same(number(a['r_bl_pct']), two(sum(c['shares']['r_bl'] * c['inflow'] for c in children) / inflow), 'r_bl')


def what_cannot_be_asked_is_refused_by_name():
    span = f'from={z(BEGIN)}&to={z(BEGIN)}'
    for path, status, word in ((f'/v1/zones/C0/balance?{span}', 422, '"from"'), (f'/v1/zones/C0/balance?from={z(spans()[0][1])}&to={z(BEGIN)}', 422, '"from"'),
                               ('/v1/zones/C0/balance?from=yesterday&to=now', 422, '"from"'), (f'/v1/zones/C0/balance?from={z(BEGIN)}', 422, '"to"'),
                               ('/v1/zones/C0/balance?from=1970-01-01T00:00:00Z&to=2026-03-01T00:00:00Z', 422, '"to"'), (f'/v1/zones/none/balance?{span}', 404, 'none'), (f'/v1/zones/{"x" * 200}/balance?{span}', 404, 'xxx')):
        found, text = call('GET', path)
        if found != status or word not in text:
            raise AssertionError(f'{path}: expected {status} with {word}, found {found} {text}')
    status, text = call('POST', '/v1/zones/C0/balance', {})
    same(status, 405, text)


def a_unit_of_the_house_is_not_told_what_others_use():
    take('orgs', ['org', 'NORTH'])
    token = do('/v1/tokens', {'name': 'north', 'role': 'viewer', 'org': 'NORTH'})['token']
    status, text = call('GET', f'/v1/zones/C0/balance?from={z(BEGIN)}&to={z(spans()[0][1])}', token=token)
    same(status, 403, text)


build()
run([every_figure_is_that_of_the_fractions, nights_are_those_of_the_readings, a_region_is_the_sum_of_its_children, what_cannot_be_asked_is_refused_by_name,
     a_unit_of_the_house_is_not_told_what_others_use])
