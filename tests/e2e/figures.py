"""A town by the dice, and every figure of its month reckoned again from what was told to the server, plainly and by other ways than the server's: units by lists, not by bits."""
import datetime as dt
import hashlib
import random
import sys
import urllib.parse
from fractions import Fraction

from asking import ADMIN, ask, call, do, run, same, settle, take

DICE = random.Random(int(sys.argv[1]))
ZONE = dt.timezone(dt.timedelta(hours=8))
MONTH, FIRST, DAYS = '2026-03', dt.date(2026, 3, 1), 31
H = dt.timedelta(hours=1)
DAY = 24 * H
ORGS = {'CO': ('', 'company'), 'B1': ('CO', 'branch'), 'B2': ('CO', 'branch'), 'T1': ('B1', 'team'), 'T2': ('B1', 'team'), 'T3': ('B2', 'team'), 'X': ('CO', '')}
ROUTES = {'R1': ('T1', '1,15'), 'R2': ('T2', ''), 'R3': ('T3', 'mon'), 'R4': ('B2', 'last'), 'R5': ('', '10'), 'R6': ('X', 'someday'), 'R7': ('T1', '5')}
POINTS = {}    # name → dict(route, account, use)
METERS = {}    # serial → dict(radio, verified)
FITTINGS = []  # [point, serial, from, to or None, start, end]
READS = []     # (serial, at, litres, source, takes part)
EVENTS = []    # (serial, event, at)
ORDERS = []    # (name, point, due, state, since)
SIGNED = {}    # (route, date) → (when, {point: read?})
RECHECKS = {}  # (route, date, level, point) → agrees
DISPUTES = set()
NOW = None


def z(at):
    return at.astimezone(dt.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def midnight(day):
    return dt.datetime(day.year, day.month, day.day, tzinfo=ZONE)


def day_of(n):
    return FIRST + dt.timedelta(n)


def clock(at):
    global NOW
    NOW = at
    do('/v1/clock', {'now': z(at)})


# ---- the town ----

def meter(serial, radio):
    due = DICE.choice([None, 'march', 'march', 'over', 'later', 'later', 'first', 'last'])
    verified = {None: None, 'march': dt.date(2020, 3, DICE.randrange(2, 31)), 'over': dt.date(2019, DICE.randrange(1, 13), 7), 'later': dt.date(2023, 5, 5),
                'first': dt.date(2020, 3, 1), 'last': dt.date(2020, 3, 31)}[due]
    METERS[serial] = dict(radio=radio, verified=verified)


def life_of(serial, point, begin, end, index, style):
    """Reads from begin to end; the register's last value."""
    at = begin + DAY * DICE.random() if DICE.random() < .5 else midnight((begin + DAY).astimezone(ZONE).date())
    at = at.replace(microsecond=0)
    while at < end:
        if style == 'zero':
            pass
        elif style == 'drip':
            index += DICE.choice([0, 0, 0, 1])
        else:
            index += DICE.randrange(100, 600)
        source = 'manual' if style == 'hand' else 'remote'
        skip = DICE.random() < {'holes': .3, 'hand': .85, 'full': 0, 'zero': .02, 'drip': .02, 'silent': .05}[style]
        if style == 'silent' and at > midnight(dt.date(2026, 3, 28)) - 6 * H:
            skip = True
        if not skip:
            READS.append((serial, at, index, source, True))
            if style == 'holes' and DICE.random() < .1 and index > 3000:  # lower than before: it takes no part
                READS.append((serial, at + 5 * H, 7, 'remote', False))
        at += DAY
    return index


def build():
    n = 0
    for route in list(ROUTES) + ['', '']:
        if route == 'R7':
            continue
        for _ in range(DICE.randrange(4, 8) if route != 'R2' else 22):
            n += 1
            point, serial = f'P{n:03d}', f'M{n:03d}'
            POINTS[point] = dict(route=route, account=DICE.choice(['', f'A{n}', f'A{n}', f'A{n}']), use=DICE.choice(['residential', 'residential', 'commercial', '', 'hydrant', 'public', 'zone-inlet']))
            style = DICE.choice(['holes', 'holes', 'full', 'full', 'zero', 'drip', 'hand', 'silent'])
            kind = DICE.choice(['on'] * 8 + ['none', 'new', 'gone', 'changed', 'changed', 'apart', 'old'])
            radio = style != 'hand' and DICE.random() < .8
            begin = dt.datetime(2026, 1, 10, 9, 30, tzinfo=ZONE)
            middle = midnight(day_of(DICE.randrange(1, 30))) + DICE.choice([0, 0, 9]) * H
            end = dt.datetime(2026, 4, 4, tzinfo=ZONE)
            if kind == 'none':
                continue
            meter(serial, radio)
            if kind == 'new':
                begin = middle
            if kind == 'old':
                middle = midnight(dt.date(2026, 2, 20))
            last = life_of(serial, point, begin, middle if kind in ('gone', 'changed', 'apart', 'old') else end, 5000, style)
            if kind in ('gone', 'changed', 'apart', 'old'):
                FITTINGS.append([point, serial, begin, middle, 5000, last])
                if kind in ('changed', 'apart'):
                    meter(serial + 'b', radio)
                    again = middle + (DICE.choice([2, 50]) * H if kind == 'apart' else 0 * H)
                    life_of(serial + 'b', point, again, end, 0, style)
                    FITTINGS.append([point, serial + 'b', again, None, 0, None])
            else:
                FITTINGS.append([point, serial, begin, None, 5000, None])
                if kind == 'on' and DICE.random() < .25:
                    a = dt.datetime(2026, 2, 20, 12, tzinfo=ZONE) + DAY * DICE.randrange(36)
                    what = DICE.choice(['suspend', 'fault'])
                    EVENTS.append((serial, what, a))
                    if DICE.random() < .6:
                        EVENTS.append((serial, 'resume', a + DICE.choice([3, 60, 200]) * H))
    for k in range(30):
        due = dt.datetime(2026, 2, 25, 8, tzinfo=ZONE) + dt.timedelta(hours=DICE.randrange(40 * 24))
        state = DICE.choice(['open', 'done', 'done', 'cancelled'])
        since = due + dt.timedelta(hours=DICE.randrange(-30, 30)) if state != 'open' else due - 3 * DAY
        ORDERS.append((f'W{k + 1:08d}', f'P{k + 1:03d}', due, state, min(since, dt.datetime(2026, 4, 4, tzinfo=ZONE))))


def tell():
    take('orgs', ['org,parent,level'] + [f'{o},{p},{l}' for o, (p, l) in ORGS.items()])
    take('routes', ['route,org,reader,days'] + [f'{r},{o},reader-{r},"{d}"' for r, (o, d) in ROUTES.items()])
    take('meters', ['serial,dn,q3,digits,dialect,verified_on'] + [f"{s},15,2.5,5,{'oms' if m['radio'] else ''},{m['verified'] or ''}" for s, m in METERS.items()])
    take('points', ['point,account,use_class,route'] + [f"{p},{v['account']},{v['use']},{v['route']}" for p, v in POINTS.items()])


def tell_lives():
    take('fittings', ['point,serial,from,to,start_index_l,end_index_l'] + [f"{p},{s},{z(a)},{z(b) if b else ''},{i},{'' if k is None else k}" for p, s, a, b, i, k in FITTINGS])


def tell_reads(before, since=None):
    rows = [f'{s},{z(at)},{v},{src}' for s, at, v, src, _ in READS if at < before and (since is None or at >= since)]
    take('readings', ['serial,time,index_l,source'] + rows)
    settle()


def sign(route, date, at):
    rows = [r for r in ask(f'/v1/routes/{route}/day?date={date}&limit=1000')['rows']]
    remarks = [{'point': r['point'], 'remark': 'seen'} for r in rows if r['state'] in ('missing', 'odd')]
    body = {'date': str(date)}
    if remarks:
        body['remarks'] = remarks
    do(f'/v1/routes/{route}/day/sign', body)
    SIGNED[(route, str(date))] = (at, {r['point']: r['remote_l'] is not None or r['manual_l'] is not None for r in rows if r['serial'] or r['state'] != 'missing' or True})
    return rows


def recheck(route, date, level, most):
    for row in ask(f'/v1/routes/{route}/day/sample?date={date}&level={level}')['rows'][:most]:
        wrong = DICE.random() < .4
        said = do(f'/v1/routes/{route}/day/recheck', {'date': str(date), 'level': level, 'point': row['point'], 'index_l': 1 if wrong else 99999})
        RECHECKS[(route, str(date), level, row['point'])] = said['agrees']


# ---- reckoned again ----

def takes(serial, only=None):
    return sorted((at, v, src) for s, at, v, src, part in READS if s == serial and part and (only is None or src == only))


READS_OF = {}


def reads_of(serial):
    if serial not in READS_OF:
        READS_OF[serial] = takes(serial)
    return READS_OF[serial]


def fits(point):
    return [f for f in FITTINGS if f[0] == point]


def under(f, at):
    return f[2] <= at and (f[3] is None or at <= f[3])


def part_reads(f, a, b):
    """Reads of the fitting with a ≤ time < b."""
    return [r for r in reads_of(f[1]) if a <= r[0] < b and under(f, r[0])]


def around(f, t):
    marks = [(f[2], f[4])] + [(at, v) for at, v, _ in reads_of(f[1]) if under(f, at)] + ([(f[3], f[5])] if f[3] else [])
    before = [m for m in marks if m[0] <= t]
    after = [m for m in marks if m[0] >= t]
    return (max(before, key=lambda m: m[0]) if before else None), (min(after, key=lambda m: m[0]) if after else None)


def actual(f, t):
    p, n = around(f, t)
    return p is not None and n is not None and n[0] - p[0] <= 36 * H


def register(f, t):
    p, n = around(f, t)
    if p[0] == n[0]:
        return Fraction(p[1])
    ml = p[1] * 1000 + (n[1] - p[1]) * 1000 * int((t - p[0]).total_seconds()) // int((n[0] - p[0]).total_seconds())
    return Fraction(ml, 1000)


def spans(serial, what):
    out, since, state = [], None, None
    for s, e, at in sorted((e for e in EVENTS if e[0] == serial), key=lambda e: e[2]):
        if since is not None:
            out.append((state, since, at))
        since, state = (at, e) if e in ('suspend', 'fault') else (None, None)
    if since is not None:
        out.append((state, since, None))
    return [(a, b) for st, a, b in out if st == what]


def touched(serial, what, a, b):
    return any(x < b and (y is None or y > a) for x, y in spans(serial, what))


def in_state(serial, what, at):
    return any(x <= at and (y is None or y > at) for x, y in spans(serial, what))


def hand_meter(serial):
    b = midnight(day_of(DAYS))
    return not METERS[serial]['radio'] and not any(s == serial and at < b and src == 'remote' for s, at, v, src, p in READS)


def due_dates(route):
    days = ROUTES[route][1] if route else 'someday'
    out = []
    for d in range(DAYS):
        day = day_of(d)
        if days == '' or (days == 'mon' and day.weekday() == 0) or (days == 'last' and d == DAYS - 1) or str(day.day) in days.split(','):
            out.append(day)
    return out if days != 'someday' else []


UNITS = []  # (figure, route, part or reason, point)


def count(figure, route, counts, without=None, point=None):
    UNITS.append((figure, route, without or ('numerator' if counts else 'denominator'), point))


def whole_days(point, route):
    for d in range(DAYS):
        a, b = midnight(day_of(d)), midnight(day_of(d + 1))
        if b > NOW:
            continue
        near = [f for f in fits(point) if f[2] < b and (f[3] is None or f[3] > a)]
        whole = [f for f in near if f[2] <= a and (f[3] is None or f[3] >= b)]
        f = whole[-1] if whole else None
        why = 'no-meter' if not near else 'exchange-day' if not whole else 'suspended' if touched(f[1], 'suspend', a, b) else 'by-hand' if hand_meter(f[1]) else None
        count('days-read', route, not why and any(src == 'remote' for _, _, src in part_reads(f, a, b)), why, point)
        count('estimated-days', route, not why and not (actual(f, a) and actual(f, b)), why, point)


def due_units(point, route):
    due = due_dates(route)
    for i, day in enumerate(due):
        cut, end = midnight(day), midnight(day + dt.timedelta(1))
        a, b = cut - DAY, cut + DAY
        if b > NOW:
            continue
        at_cut = [f for f in fits(point) if under(f, cut)]
        later = [f for f in fits(point) if cut < f[2] <= b]
        f = at_cut[-1] if at_cut else later[0] if later else None
        until = midnight(due[i + 1]) if i + 1 < len(due) else midnight(day_of(DAYS)) + DAY
        until = max(until, b + dt.timedelta(seconds=1))
        why = None
        if not f:
            why = 'no-meter'
        elif touched(f[1], 'suspend', cut, end):
            why = 'suspended'
        elif f[2] > a and not any(g[2] <= a and (g[3] is None or g[3] >= f[2] - dt.timedelta(seconds=1)) for g in fits(point)):
            why = 'new'
        got = [r for g in fits(point) for r in part_reads(g, a, until)]
        on_time = any(src == 'remote' and at <= b for at, _, src in got) or any(src == 'manual' and cut <= at < end for at, _, src in got)
        count('reads-seen', route, bool(got), why, point)
        count('reads-on-time', route, on_time, why, point)
        if got and not why:
            count('manual-share', route, all(src == 'manual' for _, _, src in got), None, point)


def zero_unit(point, route):
    v = POINTS[point]
    a, b = midnight(FIRST), midnight(day_of(DAYS))
    first = [f for f in fits(point) if under(f, a)]
    last = [f for f in fits(point) if under(f, b)]
    mine = [f for f in fits(point) if f[2] <= b + DAY and (f[3] is None or f[3] >= a - DAY)]
    why, use = None, None
    if v['use'] in ('hydrant', 'zone-inlet'):
        why = 'not-customer'
    elif not v['account']:
        why = 'vacant'
    elif not last:
        why = 'no-meter'
    elif not first:
        why = 'new'
    elif any(touched(f[1], 'suspend', a, b) for f in mine):
        why = 'suspended'
    else:
        use = Fraction(0)
        for f in fits(point):
            x, y = max(a, f[2]), min(b, f[3] or b)
            if x >= y:
                continue
            if not (actual(f, x) and actual(f, y)):
                why = 'unread'
                break
            use += register(f, y) - register(f, x)
    count('zero-use', route, use == 0, why, point)


def years_on(day, years):
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def end_units(point, route):
    at = midnight(day_of(DAYS)) - dt.timedelta(seconds=1)
    on = [f for f in fits(point) if f[2] <= at and (f[3] is None or f[3] > at)]
    for f in on:
        why = 'suspended' if in_state(f[1], 'suspend', at) else 'by-hand' if hand_meter(f[1]) else 'new' if f[2] > at - 3 * DAY else None
        heard = any(s == f[1] and src == 'remote' and at - 3 * DAY <= t <= at for s, t, v, src, p in READS)
        count('silent-meters', route, not heard, why, point)
        verified = METERS[f[1]]['verified']
        count('overdue-meters', route, verified and years_on(verified, 6) < day_of(DAYS - 1), None if verified else 'unverified', point)
        count('faulty-meters', route, in_state(f[1], 'fault', at), None, point)
    for f in fits(point):
        verified = METERS[f[1]]['verified']
        if verified and f[2] < midnight(FIRST) and (f[3] is None or f[3] >= midnight(FIRST)):
            due = years_on(verified, 6)
            if FIRST <= due < day_of(DAYS):
                count('exchanges-on-time', route, f[3] is not None and f[3] < midnight(due + dt.timedelta(1)), None, point)


def route_units(route):
    some = [p for p, v in POINTS.items() if v['route'] == route]
    for d in range(DAYS):
        day = day_of(d)
        when, lines = SIGNED.get((route, str(day)), (None, {}))
        if day in due_dates(route):
            end = midnight(day + dt.timedelta(2))
            if not some and not when:
                count('sheets-on-time', route, False, 'no-points')
            elif when or end <= NOW:
                count('sheets-on-time', route, when is not None and when < end)
        read = sorted(p for p, was in lines.items() if was)
        for level, share in (('team', 50), ('branch', 20), ('company', 5)):
            seed = f'{route}:{day}:{level}'
            drawn = sorted(read, key=lambda p: hashlib.sha256(f'{seed}:{p}'.encode()).digest())[:-(-len(read) * share // 1000)]
            for p in drawn:
                count('rechecks-done', route, (route, str(day), level, p) in RECHECKS, None, p)
        for (r, date, level, p), agrees in RECHECKS.items():
            if r == route and date == str(day):
                count('rechecks-right', route, agrees, None, p)
        disputed = {p for r, date, p in DISPUTES if r == route and date == str(day)}
        for p in set(lines) | disputed:
            count('disputes', route, p in disputed, None, p)


def order_units():
    for name, point, due, state, since in ORDERS:
        if not midnight(FIRST) <= due < midnight(day_of(DAYS)):
            continue
        route = POINTS[point]['route']
        if state == 'cancelled':
            count('orders-in-time', route, False, 'cancelled', point)
        elif state == 'done' or due < NOW:
            count('orders-in-time', route, state == 'done' and since <= due, None, point)


def bill_units():
    for cycle in ask('/v1/cycles')['rows']:
        if cycle['state'] != 'closed':
            continue
        for d in ask(f"/v1/cycles/{cycle['cycle']}/determinants?limit=10000")['rows']:
            count('estimated-bills', POINTS[d['point']]['route'], d['quality'] == 'estimated', 'missing' if d['quality'] == 'missing' else None, d['point'])


def reckon():
    UNITS.clear()
    READS_OF.clear()
    for point, v in POINTS.items():
        route = v['route']
        whole_days(point, route)
        if route:
            due_units(point, route)
        zero_unit(point, route)
        end_units(point, route)
    for route in ROUTES:
        route_units(route)
    order_units()
    bill_units()


def above(org):
    while org:
        yield org
        org = ORGS[org][0]


def summed():
    """(kind, name, figure) → [numerator, denominator, {reason: n}]"""
    out = {}
    for figure, route, part, _ in UNITS:
        places = [('all', '')] + ([('route', route)] + [('org', o) for o in above(ROUTES[route][0])] if route else [])
        for place in places:
            c = out.setdefault(place + (figure,), [0, 0, {}])
            if part in ('numerator', 'denominator'):
                c[1] += 1
                c[0] += part == 'numerator'
            else:
                c[2][part] = c[2].get(part, 0) + 1
    return out


def percent(n, d):
    return None if not d else (2 * Fraction(n, d) * 10000 + 1) // 2 / Fraction(100)


def place_of(row):
    return ('route', row['route']) if row['route'] else ('org', row['org']) if row['org'] else ('all', '')


def figures(query='', token=ADMIN):
    rows, after = [], ''
    while True:
        page = ask(f'/v1/figures?month={MONTH}&limit={DICE.randrange(3, 400)}{query}{after}', token=token)
        rows += page['rows']
        if not page['next']:
            return rows
        after = '&after=' + urllib.parse.quote(page['next'])


def held(rows, expected):
    seen = set()
    for row in rows:
        key = place_of(row) + (row['figure'],)
        n, d, out = expected.get(key, [0, 0, {}])
        same((row['numerator'], row['denominator'], {k: v for k, v in row['excluded'].items() if v}), (n, d, out), f'{key}')
        same(None if row['value'] is None else Fraction(str(row['value'])), percent(n, d), f'{key} value')
        seen.add(key)
    same(set(expected) - seen, set(), 'figures that nobody told')


def every_figure_is_what_the_town_says():
    reckon()
    rows = figures()
    held(rows, summed())
    same(len(rows), 16 * (1 + len(ORGS) + len(ROUTES)), 'rows')
    for row in rows:
        same(row['level'], 'route' if row['route'] else (ORGS[row['org']][1] or 'org') if row['org'] else 'all', f'level of {row}')
        same((row['final'], row['frozen_at'], row['later']), (False, None, None), 'an open month')


def a_list_has_as_many_rows_as_its_number_in_pages_of_any_size():
    expected = summed()
    for row in DICE.sample([r for r in figures() if r['denominator'] or any(r['excluded'].values())], 60):
        place = f"&route={row['route']}" if row['route'] else f"&org={row['org']}" if row['org'] else ''
        n, d, out = expected.get(place_of(row) + (row['figure'],), [0, 0, {}])
        for part, want in (('&part=numerator', n), ('', d), ('&part=excluded', sum(out.values()))):
            got, after = [], ''
            while True:
                page = ask(f"/v1/figures/{row['figure']}/list?month={MONTH}&limit={DICE.randrange(2, 300)}{place}{part}{after}")
                got += page['rows']
                if not page['next']:
                    break
                after = '&after=' + urllib.parse.quote(page['next'])
            same(len(got), want, f"{row['figure']} {place} {part}")
            whole = call('GET', f"/v1/figures/{row['figure']}/list?month={MONTH}{place}{part}", accept='text/csv')[1]
            same(len(whole.strip().split('\n')) - 1, want, f"{row['figure']} {place} {part} as CSV")
    all_of_it = [u for u in UNITS if u[0] == 'zero-use' and u[2] == 'numerator']
    same(sorted(r['point'] for r in ask(f'/v1/figures/zero-use/list?month={MONTH}&part=numerator&limit=1000')['rows']), sorted(u[3] for u in all_of_it), 'points without use')


def overdue_meters_are_those_of_the_overdue_list():
    listed = ask('/v1/verifications/overdue?on=2026-03-31&limit=1000')['rows']
    mine = ask(f'/v1/figures/overdue-meters/list?month={MONTH}&part=numerator&limit=1000')['rows']
    same(sorted(r['serial'] for r in mine), sorted(r['serial'] for r in listed if r['legal_due']), 'overdue')


def a_unit_sees_itself_and_what_is_below_it():
    token = do('/v1/tokens', {'role': 'viewer', 'name': 'b1', 'org': 'B1'})['token']
    expected = {k: v for k, v in summed().items() if k[1] in ('B1', 'T1', 'T2', 'R1', 'R2', 'R7')}
    held(figures(token=token), expected)
    same(call('GET', f'/v1/figures?month={MONTH}&org=B2', token=token)[0], 403, 'another unit')
    same(call('POST', f'/v1/figures/{MONTH}/close', {}, token=do('/v1/tokens', {'role': 'supervisor', 'name': 'b1c', 'org': 'B1'})['token'])[0], 403, 'a unit closes no month')
    got = ask(f'/v1/figures/reads-seen/list?month={MONTH}&limit=10000', token=token)['rows']
    same(len(got), expected[('org', 'B1', 'reads-seen')][1], 'its list')
    same({r['org'] for r in got} - {'T1', 'T2'}, set(), 'units of its list')


def what_is_asked_wrongly_is_refused():
    for path, status, field in (('/v1/figures?month=2026-3', 422, 'month'), ('/v1/figures?month=2026-13', 422, 'month'), ('/v1/figures?figure=odd', 422, 'figure'), ('/v1/figures?level=odd', 422, 'level'),
                                ('/v1/figures?org=nobody', 404, 'org'), ('/v1/figures?route=none', 404, 'route'), ('/v1/figures/odd', 404, 'figure'), ('/v1/figures/odd/list', 404, 'figure'),
                                ('/v1/figures/zero-use/list?part=odd', 422, 'part'), ('/v1/figures/zero-use/list?without=cancelled', 422, 'without'), ('/v1/figures?later=perhaps', 422, 'later')):
        got, text = call('GET', path)
        same((got, f'"field":"{field}"' in text), (status, True), f'{path}: {text}')
    viewer = do('/v1/tokens', {'role': 'billing', 'name': 'biller'})['token']
    for path, status, token in ((f'/v1/figures/{MONTH}/close', 403, viewer), ('/v1/figures/march/close', 404, ADMIN), ('/v1/figures/2026-04/close', 409, ADMIN)):
        same(call('POST', path, {}, token=token)[0], status, path)
    same(call('POST', f'/v1/figures/{MONTH}/close', {'force': True})[0], 422, 'an unknown member')
    for path, status in (('/v1/figures?after=ab', 422), ('/v1/figures/zero-use/list?after=ab', 422), ('/v1/figures/zero-use/list?after=xy', 422), ('/v1/figure-months?after=ab', 422),
                         ('/v1/figures/zero-use/list?after=0000000002ffffffff0000000000', 422), ('/v1/figures/sheets-on-time/list?after=0000000002ffffffff0000000000', 200),
                         ('/v1/figures/zero-use/list?after=0000000000ffffffff0000000000', 200), ('/v1/figures/estimated-bills/list?after=0000000001ffffffffffffffff0178', 200),
                         ('/v1/figures/orders-in-time/list?after=00000000030000000000000000027878', 200)):
        got, text = call('GET', path)
        same(got, status, f'{path}: {text[:200]}')
    told = ask('/v1/figures/zero-use')
    same(([r['without'] for r in told['excluded']], told['better']), (['no-meter', 'suspended', 'new', 'vacant', 'unread', 'not-customer'], 'less'), 'what a figure is')


FROZEN = []


def a_closed_month_never_changes_and_what_is_known_later_stands_beside_it():
    before = figures()
    said = do(f'/v1/figures/{MONTH}/close', {'note': 'as every month'})
    sha = hashlib.sha256()
    for row in before:
        kind, name = place_of(row)
        sha.update(f"{MONTH} {kind[0]} {name or '-'} {row['figure']} {row['numerator']} {row['denominator']}".encode())
        order = ['no-meter', 'exchange-day', 'suspended', 'by-hand', 'new', 'vacant', 'unread', 'not-customer', 'unverified', 'missing', 'cancelled', 'no-points']
        sha.update(''.join(f" {k}={row['excluded'][k]}" for k in order if row['excluded'].get(k)).encode() + b'\n')
    same(said['digest'], sha.hexdigest(), 'the digest, reckoned from the rows')
    same([(m['month'], m['digest']) for m in ask('/v1/figure-months')['rows']], [(MONTH, said['digest'])], 'closed months')
    status, text = call('POST', f'/v1/figures/{MONTH}/close', {})
    same((status, 'closed it at' in text), (409, True), text)

    def numbers(rows):
        return [(place_of(r), r['figure'], r['numerator'], r['denominator'], r['value'], r['excluded']) for r in rows]
    FROZEN.extend(numbers(before))
    same(numbers(figures()), FROZEN, 'right after it')
    # A meter that was thought silent tells its whole month, and an order is done late.
    silent = [u[3] for u in UNITS if u[0] == 'days-read' and u[2] == 'denominator' and len(fits(u[3])) == 1]
    late = fits(max(sorted(set(silent)), key=silent.count))[0][1]
    known = {at for s, at, v, src, p in READS if s == late}
    mine = [f for f in FITTINGS if f[1] == late][0]
    for d in range(DAYS):
        at = midnight(day_of(d)) + 7 * H
        if under(mine, at) and at not in known:
            p, n = around(mine, at)
            if p and n:
                READS.append((late, at, int(register(mine, at)), 'remote', True))
    tell_reads(dt.datetime(2026, 5, 1, tzinfo=ZONE))
    reckon()
    expected, changed = summed(), 0
    for row in figures():
        same((row['final'], row['frozen_by'] is not None), (True, True), 'it is final')
        n, d, out = expected.get(place_of(row) + (row['figure'],), [0, 0, {}])
        if row['later']:
            changed += 1
            later = row['later']
            same((later['numerator'], later['denominator'], {k: v for k, v in later['excluded'].items() if v}), (n, d, out), f"later of {place_of(row)} {row['figure']}")
        else:
            same((row['numerator'], row['denominator']), (n, d), f"{place_of(row)} {row['figure']}")
    same(changed > 0, True, 'something is told later')
    same(numbers(figures()), FROZEN, 'as it was frozen')
    same([r['later'] for r in figures('&later=false')], [None] * len(FROZEN), 'without later')


def books(): # the town's books, as far as they are kept while the month goes on
    clock(dt.datetime(2026, 3, 2, 3, tzinfo=ZONE))
    tell()
    tell_lives_before = [f for f in FITTINGS if f[2] < NOW]
    take('fittings', ['point,serial,from,start_index_l'] + [f'{p},{s},{z(a)},{i}' for p, s, a, b, i, k in tell_lives_before if not (b and b < NOW)])
    tell_reads(NOW)
    sign('R2', dt.date(2026, 3, 1), NOW)
    recheck('R2', dt.date(2026, 3, 1), 'team', 2)
    rows = sign('R2', dt.date(2026, 3, 2), NOW)
    for row in rows[:2]:
        do('/v1/routes/R2/day/dispute', {'date': '2026-03-02', 'point': row['point'], 'note': 'not so'})
        DISPUTES.add(('R2', '2026-03-02', row['point']))


def rest_of_the_books():
    clock(dt.datetime(2026, 4, 5, 10, tzinfo=ZONE))
    tell_lives()
    tell_reads(NOW, dt.datetime(2026, 3, 2, 3, tzinfo=ZONE))
    for serial, event, at in sorted(EVENTS, key=lambda e: e[2]):
        do(f'/v1/meters/{serial}/events', {'event': event, 'at': z(at), 'document': 'D', 'note': 'N'})
    take('orders', ['order,kind,point,priority,due,state,created_at,since'] + [f'{n},read,{p},low,{z(d)},{st},{z(d - 9 * DAY)},{z(s)}' for n, p, d, st, s in ORDERS])
    sign('R2', dt.date(2026, 3, 20), NOW)
    sign('R1', dt.date(2026, 3, 15), NOW)
    recheck('R2', dt.date(2026, 3, 20), 'branch', 9)
    recheck('R2', dt.date(2026, 3, 20), 'company', 9)
    some = [p for p, v in POINTS.items() if v['route'] == 'R3'][0]
    do('/v1/routes/R3/day/dispute', {'date': '2026-03-09', 'point': some, 'note': 'never signed'})
    DISPUTES.add(('R3', '2026-03-09', some))
    for cycle, begin, end, routes in (('03', '2026-03-01', '2026-04-01', ['R1', 'R2']), ('feb', '2026-02-01', '2026-03-01', ['R4']), ('mid', '2026-02-15', '2026-03-15', ['R3'])):
        do('/v1/cycles', {'cycle': cycle, 'from': begin + 'T00:00:00+08:00', 'to': end + 'T00:00:00+08:00', 'routes': routes})
        if cycle != 'feb':
            do(f'/v1/cycles/{cycle}/close', {})
    settle()


build()
books()
rest_of_the_books()
run([every_figure_is_what_the_town_says, a_list_has_as_many_rows_as_its_number_in_pages_of_any_size, overdue_meters_are_those_of_the_overdue_list, a_unit_sees_itself_and_what_is_below_it,
     what_is_asked_wrongly_is_refused, a_closed_month_never_changes_and_what_is_known_later_stands_beside_it])
