"""What was settled in a year, held against determinants and adjustments one by one: a town by the dice with exchanges, late reads and accounts that move in and out."""
import datetime as dt
import random
import sys
import urllib.parse

from asking import ADMIN, ask, call, do, run, same, settle, take

DICE = random.Random(int(sys.argv[1]))
ZONE = dt.timezone(dt.timedelta(hours=8))
POINTS = [f'P{n}' for n in range(12)] + ['H']
ROUTE = {p: 'R1' if n % 3 else 'R2' for n, p in enumerate(POINTS)}
LATE = []


def z(at):
    return at.astimezone(dt.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


def first(year, month):
    return dt.datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=ZONE)


def clock(at):
    do('/v1/clock', {'now': z(at)})


def account(point, name, route):
    do('/v1/points', {'point': point, 'account': name, 'route': route})


def build():
    take('orgs', ['org', 'NORTH', 'SOUTH'])
    take('routes', ['route,org', 'R1,NORTH', 'R2,SOUTH'])
    meters, fittings, reads = [], [], []
    for p in POINTS:
        index, begin = 0, dt.datetime(2025, 6, 1, tzinfo=ZONE)
        changed = DICE.choice([None, None, dt.datetime(2025, 12, 17, 10, tzinfo=ZONE), dt.datetime(2026, 2, 3, 10, tzinfo=ZONE)])
        if p == 'H':
            changed = None
        serial, since = 'M' + p, begin
        meters.append(f'{serial},15,2.5,5')
        at = begin + dt.timedelta(1)
        rows = []
        while at <= dt.datetime(2026, 6, 1, tzinfo=ZONE):
            index += 1300 if p == 'H' else DICE.randrange(0, 2500)
            if changed and at > changed:
                fittings.append(f'{p},{serial},{z(since)},0,{z(changed)},{index}')
                serial, since, index, changed = serial + 'b', changed, 0, None
                meters.append(f'{serial},15,2.5,5')
            row = f'{serial},{z(at)},{index}'
            if p != 'H' and DICE.random() < .15:
                LATE.append((at, row))
            elif p != 'H' or at != first(2026, 2):
                rows.append((at, row))
            else:
                LATE.append((at, row))
            at += dt.timedelta(1)
        fittings.append(f'{p},{serial},{z(since)},0,,')
        reads += rows
    take('meters', ['serial,dn,q3,digits'] + meters)
    take('points', ['point,account,route'] + [f'{p},A-{p},{ROUTE[p]}' for p in POINTS])
    take('fittings', ['point,serial,from,start_index_l,to,end_index_l'] + fittings)
    return sorted(reads)


def months(reads):
    """Month after month as it goes: reads come, cycles close, accounts move, late reads come and adjust."""
    told = 0
    for n in range(10, 18):
        end = first(2025, n + 1)
        clock(end + dt.timedelta(days=3, hours=5))
        now = end + dt.timedelta(days=3)
        more = [r for at, r in reads[told:] if at < now]
        told += len(more)
        take('readings', ['serial,time,index_l'] + more)
        settle()
        for route in ('R1', 'R2'):
            name = f'{route}-{n}'
            do('/v1/cycles', {'cycle': name, 'from': z(first(2025, n)), 'to': z(end), 'routes': [route]})
            do(f'/v1/cycles/{name}/close', {})
        if n == 13:
            account('P1', 'B-1', ROUTE['P1'])
            account('P2', 'A-P4', ROUTE['P2'])
        if n == 15:
            account('P1', 'A-P1', ROUTE['P1'])
        soon = [(at, r) for at, r in LATE if at < now - dt.timedelta(days=20)]
        pick = [x for x in soon if DICE.random() < .5]
        for x in pick:
            LATE.remove(x)
        if pick:
            take('readings', ['serial,time,index_l'] + [r for _, r in pick])
        settle()


def pages(path):
    rows, after = [], ''
    while True:
        page = ask(path + ('&' if '?' in path else '?') + 'limit=' + str(DICE.randrange(1, 9)) + after)
        rows += page['rows']
        if not page['next']:
            return rows
        after = '&after=' + urllib.parse.quote(page['next'])


def known():
    """(point, account, cycle's end) of each determinant with what it comes to by now."""
    out = []
    adjustments = ask('/v1/adjustments?limit=100000')['rows']
    for c in ask('/v1/cycles')['rows']:
        if c['state'] != 'closed':
            continue
        for d in ask(f"/v1/cycles/{c['cycle']}/determinants?limit=1000")['rows']:
            mine = [a for a in adjustments if a['cycle'] == c['cycle'] and a['point'] == d['point']]
            end = dt.datetime.fromisoformat(c['to'].replace('Z', '+00:00')).astimezone(ZONE)
            out.append(dict(point=d['point'], account=d['account'], cycle=c['cycle'], end=end, m3=d['billed_m3'], l=d['consumption_l'], adjusted=sum(a['delta_m3'] for a in mine),
                            adjusted_l=sum(a['delta_l'] for a in mine), chain=[(a['id'], a['delta_m3']) for a in mine]))
    return out


def the_year_of_a_steady_point_is_what_a_hand_reckons():
    # 1 300 L a day since 1 June 2025: settled in 2025 are October and November (that of December ends with the new year), of 2026 December to May.
    t = ask('/v1/points/H/tier?year=2025')
    same([(x['cycle'], x['billed_m3'], x['settled_on']) for x in t['lines']], [('R2-10', 40, '2025-11-01'), ('R2-11', 39, '2025-12-01')], 'lines of 2025')
    same((t['m3'], t['cycles'], t['missing'], t['others_m3'], t['open_m3']), (79, 2, 0, 0, None), '2025')
    t = ask('/v1/points/H/tier?year=2026')
    # The dial stands at 1.3 m3 × days since 1 June: 237 (1 December is day 183), 278, 318, 354, 395, 434, … cut at whole m3.
    day = [(first(2025, n) - dt.datetime(2025, 6, 1, tzinfo=ZONE)).days for n in range(12, 19)]
    same([x['billed_m3'] + x['adjusted_m3'] for x in t['lines']], [1300 * b // 1000 - 1300 * a // 1000 for a, b in zip(day, day[1:])], 'lines of 2026')
    same(t['m3'], 1300 * day[-1] // 1000 - 1300 * day[0] // 1000, '2026')
    same((t['open_from'], t['open_m3'] >= 0), ('2026-05-31T16:00:00Z', True), 'what is open')


def a_year_is_its_determinants_and_adjustments_and_years_add_up_to_all():
    every = known()
    total = 0
    for p in POINTS:
        now = ask(f'/v1/points/{p}')['account']
        for year in (2024, 2025, 2026, 2027):
            t = ask(f'/v1/points/{p}/tier?year={year}')
            mine = sorted((k for k in every if k['point'] == p and k['end'].year == year), key=lambda k: k['end'])
            ours = [k for k in mine if k['account'] == now]
            same([(x['cycle'], x['billed_m3'], x['adjusted_m3'], [(a['id'], a['delta_m3']) for a in x['adjustments']]) for x in t['lines']], [(k['cycle'], k['m3'], k['adjusted'], k['chain']) for k in ours], f'{p} {year}')
            same(t['m3'], sum((k['m3'] or 0) + k['adjusted'] for k in ours), f'{p} {year} m3')
            same(t['others_m3'], sum((k['m3'] or 0) + k['adjusted'] for k in mine if k['account'] != now), f'{p} {year} others')
            same(round(1000 * t['consumption_l']), sum(round(1000 * ((k['l'] or 0) + k['adjusted_l'])) for k in ours), f'{p} {year} litres')
            total += t['m3'] + t['others_m3']
    same(total, sum((k['m3'] or 0) + k['adjusted'] for k in every), 'all years of all points')
    same(any(k['chain'] for k in every), True, 'something was adjusted')


def an_account_has_what_was_settled_for_it_and_nothing_of_others():
    every = known()
    for name in sorted({k['account'] for k in every}):
        for year in (2025, 2026):
            t = ask(f'/v1/accounts/{name}/tier?year={year}')
            mine = [k for k in every if k['account'] == name and k['end'].year == year]
            same(t['m3'], sum((k['m3'] or 0) + k['adjusted'] for k in mine), f'{name} {year}')
            same(sorted((p['point'], x['cycle']) for p in t['points'] for x in p['lines']), sorted((k['point'], k['cycle']) for k in mine), f'{name} {year} lines')
    # B-1 had P1 for two cycles and left it: nothing is open there for it, and what is open at P2 is so since its new account had it.
    same([(p['point'], p['cycles'], p['open_m3']) for p in ask('/v1/accounts/B-1/tier?year=2026')['points']], [('P1', 2, None)], 'who left')


def a_route_lists_the_same_in_pages_of_any_size():
    for route in ('R1', 'R2'):
        rows = pages(f'/v1/routes/{route}/tier?year=2026')
        same([r['point'] for r in rows], sorted(p for p in POINTS if ROUTE[p] == route), route)
        for r in rows:
            t = ask(f"/v1/points/{r['point']}/tier?year=2026")
            same({k: r[k] for k in r}, {k: t[k] for k in r}, r['point'])


def what_is_asked_wrongly_or_by_another_unit_is_refused():
    south = do('/v1/tokens', {'role': 'viewer', 'name': 's', 'org': 'SOUTH'})['token']
    mine, other = next(p for p in POINTS if ROUTE[p] == 'R2' and p != 'P2'), 'P1'
    for path, status, token in ((f'/v1/points/{other}/tier', 403, south), (f'/v1/points/{mine}/tier', 200, south), (f'/v1/accounts/A-{other}/tier', 403, south), (f'/v1/accounts/A-{mine}/tier', 200, south),
                                ('/v1/routes/R1/tier', 403, south), ('/v1/routes/R2/tier', 200, south), ('/v1/points/none/tier', 404, ADMIN), ('/v1/accounts/none/tier', 404, ADMIN), ('/v1/routes/none/tier', 404, ADMIN),
                                ('/v1/points/P1/tier?year=1999', 422, ADMIN), ('/v1/points/P1/tier?year=now', 422, ADMIN)):
        same(call('GET', path, token=token)[0], status, path)


months(build())
run([the_year_of_a_steady_point_is_what_a_hand_reckons, a_year_is_its_determinants_and_adjustments_and_years_add_up_to_all, an_account_has_what_was_settled_for_it_and_nothing_of_others,
     a_route_lists_the_same_in_pages_of_any_size, what_is_asked_wrongly_or_by_another_unit_is_refused])
