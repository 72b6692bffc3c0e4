"""Verifications of a fleet by the dice: legal dates reckoned plainly (JJG 162), then every list, page, filter and count held against them."""
import calendar
import datetime as dt
import random
import sys

from asking import ask, call, do, run, same, take

DICE = random.Random(int(sys.argv[1]))
TODAY = dt.date(2026, 3, 2)
FITTED, STORE = ('running', 'suspended', 'faulty'), ('verified', 'in-stock', 'issued')
FLEET = {}  # serial → dict


def plus(day, years=0, months=0):
    n = day.year * 12 + day.month - 1 + 12 * years + months
    year, month = n // 12, n % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def legal_due(m):
    if m['verified'] is None:
        return None
    years = 2 if m['dn'] > 50 or m['q3'] > 16 else 6 if m['dn'] <= 25 else 4
    due = plus(m['verified'], years)
    return min(due, plus(m['verified'], 0, m['life_months'])) if m['life_months'] else due


def a_fleet_by_the_dice():
    for n in range(500):
        state = DICE.choice(['running'] * 6 + ['verified', 'in-stock', 'in-stock', 'removed', 'received', ''])
        m = {'serial': f'{DICE.choice("ab")}{n:03d}', 'dn': DICE.choice([15, 25, 32, 50, 80]), 'q3': DICE.choice([2.5, 16, 25]), 'state': state,
             'verified': None if n % 17 == 0 else dt.date(2018, 1, 1) + dt.timedelta(DICE.randrange(2980)), 'life_months': DICE.choice(['', '', '', 30]),
             'zone': DICE.choice(['Z1', 'Z2', '']), 'route': DICE.choice(['R1', 'R2', 'R3', ''])}
        FLEET[m['serial']] = m
    take('meters', ['serial,dn,q3,verified_on,life_months,state'] + [f"{m['serial']},{m['dn']},{m['q3']},{m['verified'] or ''},{m['life_months']},"
                                                                     f"{'' if m['state'] == 'running' else m['state']}" for m in FLEET.values()])
    fitted = [m for m in FLEET.values() if m['state'] == 'running']
    take('zones', ['zone', 'Z1', 'Z2', 'Z3'])
    take('routes', ['route', 'R1', 'R2', 'R3'])
    take('points', ['point,zone,route'] + [f"P-{m['serial']},{m['zone']},{m['route']}" for m in fitted])
    take('fittings', ['point,serial,from,start_index_l'] + [f"P-{m['serial']},{m['serial']},{max(m['verified'] or TODAY, dt.date(2018, 1, 1))}T00:00:00+08:00,0"
                                                            for m in fitted])


def wanted(where='fitted', first=None, last=None, **filters):
    """Rows of the list: those with a date in the window, by date, then serial."""
    states = {'fitted': FITTED, 'store': STORE, 'all': FITTED + STORE}[where]
    out = []
    for m in FLEET.values():
        due, is_fitted = legal_due(m), m['state'] in FITTED
        if m['state'] not in states or due is None or not first <= due <= last:
            continue
        place = {'zone': m['zone'] if is_fitted else '', 'route': m['route'] if is_fitted else '', 'dn': m['dn']}
        if all(place[k] == v for k, v in filters.items()):
            out.append((due, m['serial'].encode(), m))
    return [(str(d), s.decode()) for d, s, _ in sorted(out, key=lambda x: x[:2])]


def listed(path):
    return [(r['legal_due'], r['serial']) for r in ask(path + '&limit=10000')['rows']]


def lists_hold_all_that_falls_due_in_order():
    first, last = dt.date(2026, 1, 1), dt.date(2027, 6, 30)
    window = f'/v1/verifications/due?from={first}&to={last}'
    for where in ('fitted', 'store', 'all'):
        same(listed(f'{window}&where={where}'), wanted(where, first, last), where)
    for query, filters in (('zone=Z1', {'zone': 'Z1'}), ('route=R2', {'route': 'R2'}), ('dn=15', {'dn': 15}), ('zone=Z2&route=R1&dn=80', {'zone': 'Z2', 'route': 'R1', 'dn': 80})):
        for where in ('fitted', 'store', 'all'):
            same(listed(f'{window}&where={where}&{query}'), wanted(where, first, last, **filters), f'{where} {query}')
    one = dt.date.fromisoformat(wanted('fitted', first, last)[0][0])
    same(listed(f'/v1/verifications/due?from={one}&to={one}'), wanted('fitted', one, one), 'a window of one day')
    same(listed(f'{window}&zone=Z3'), [], 'an empty zone')


def pages_of_any_size_join_to_the_whole():
    for where in ('fitted', 'all'):
        path = f'/v1/verifications/due?from=2026-01-01&to=2027-06-30&where={where}&dn=25'
        whole = ask(path + '&limit=10000')['rows']
        for size in (1, 7, len(whole), len(whole) + 1):
            rows, after = [], ''
            while True:
                page = ask(f'{path}&limit={size}{after}')
                rows += page['rows']
                if page['next'] is None:
                    break
                after = '&after=' + page['next']
            same(rows, whole, f'pages of {size} of {where}')


def the_overdue_come_longest_first_and_those_never_verified_last():
    over = [(str(legal_due(m)), m['serial']) for m in FLEET.values() if m['state'] == 'running' and legal_due(m) and legal_due(m) < TODAY]
    never = [(None, m['serial']) for m in FLEET.values() if m['state'] == 'running' and not legal_due(m)]
    same(listed('/v1/verifications/overdue?'), sorted(over) + sorted(never, key=lambda x: x[1]), 'overdue')
    row = ask('/v1/verifications/overdue?limit=1')['rows'][0]
    same(row['days_left'], (dt.date.fromisoformat(row['legal_due']) - TODAY).days, 'days_left')


def counted(first, last, by, where='all', **filters):
    groups = {}
    for m in FLEET.values():
        due, is_fitted = legal_due(m), m['state'] in FITTED
        if not is_fitted and m['state'] not in STORE or (is_fitted and where == 'store') or (not is_fitted and where == 'fitted'):
            continue
        place = {'zone': (m['zone'] or None) if is_fitted else None, 'route': (m['route'] or None) if is_fitted else None, 'dn': m['dn']}
        if any(place[k] != v for k, v in filters.items()):
            continue
        inside = due is not None and first <= due <= last
        over, never = is_fitted and due is not None and due < TODAY, is_fitted and due is None
        if not inside and not over and not never:
            continue
        key = tuple(str(due)[:7] if k == 'month' and inside else None if k == 'month' or k not in by else place[k] for k in ('month', 'zone', 'route', 'dn')) \
            if 'month' in by else tuple([None] + [place[k] if k in by else None for k in ('zone', 'route', 'dn')])
        g = groups.setdefault(key, [0, 0, 0, 0])
        g[0] += inside and is_fitted
        g[1] += inside and not is_fitted
        g[2] += over
        g[3] += never
    order = sorted(groups, key=lambda k: [(x is None, x if x is not None else 0) for x in k])
    return [list(k) + groups[k] for k in order]


def counts_are_those_of_the_lists():
    first, last = dt.date(2025, 11, 1), dt.date(2027, 6, 30)
    for by in ('month', 'zone', 'route', 'dn', 'month,dn', 'zone,route', 'month,zone,route,dn'):
        for where in ('all', 'fitted', 'store'):
            for query, filters in (('', {}), ('&dn=25', {'dn': 25}), ('&zone=Z1', {'zone': 'Z1'}), ('&route=R3&dn=15', {'route': 'R3', 'dn': 15})):
                rows = ask(f'/v1/verifications/summary?from={first}&to={last}&by={by}&where={where}{query}')['rows']
                same([[r[c] for c in ('month', 'zone', 'route', 'dn', 'fitted', 'store', 'overdue', 'never_verified')] for r in rows],
                     counted(first, last, by.split(','), where, **filters), f'by {by} {where} {query}')
    rows = ask('/v1/verifications/summary?from=2026-04-01&to=2026-04-30')['rows']
    same(rows[0]['month'], '2026-04', 'by month without asking')
    same(rows[0]['fitted'], len(ask('/v1/verifications/due?from=2026-04-01&to=2026-04-30&limit=10000')['rows']), 'the list of a month')
    same(sum(r['overdue'] + r['never_verified'] for r in rows), len(ask('/v1/verifications/overdue?limit=10000')['rows']), 'the list of what is over')


def pages_of_counts_join():
    path = '/v1/verifications/summary?from=2026-01-01&to=2027-06-30&by=month,zone,route,dn'
    whole, rows, after = ask(path + '&limit=10000')['rows'], [], ''
    while True:
        page = ask(f'{path}&limit=13{after}')
        rows += page['rows']
        if page['next'] is None:
            break
        after = '&after=' + page['next']
    same(rows, whole, 'pages of 13')


def a_change_of_life_counts_at_once():
    name = next(m['serial'] for m in FLEET.values() if m['state'] == 'running' and legal_due(m) and legal_due(m) > TODAY)
    do(f'/v1/meters/{name}/events', {'event': 'remove', 'index_l': 5})
    FLEET[name]['state'] = 'removed'
    counts_are_those_of_the_lists()


def a_unit_is_counted_its_own():
    take('orgs', ['org,parent,level', 'CO,,company', 'T1,CO,team'])
    take('routes', ['route,org', 'R2,T1'])
    token = do('/v1/tokens', {'role': 'viewer', 'name': 'team', 'org': 'T1'})['token']
    first, last = dt.date(2025, 11, 1), dt.date(2027, 6, 30)
    for by in ('month', 'zone,dn', 'route'):
        rows = ask(f'/v1/verifications/summary?from={first}&to={last}&by={by}', token)['rows']
        same([[r[c] for c in ('month', 'zone', 'route', 'dn', 'fitted', 'store', 'overdue', 'never_verified')] for r in rows],
             counted(first, last, by.split(','), 'fitted', route='R2'), 'of a unit by ' + by)
    same(call('GET', '/v1/verifications/summary?from=2026-01-01&to=2026-01-02&route=R1', token=token)[0], 403, "another unit's route")


def what_cannot_be_asked_is_refused():
    base = '/v1/verifications/summary?from=2026-01-01&to=2026-12-31'
    for path, status, says in ((base + '&by=colour', 422, 'month'), (base + '&by=month,month', 422, 'month,month'), (base + '&by=month,', 422, 'month,'),
                               (base + '&where=moon', 422, 'moon'), (base + '&zone=none', 404, 'none'), ('/v1/verifications/summary?from=2026-01-01', 422, 'to'),
                               ('/v1/verifications/summary?from=2026-01-02&to=2026-01-01', 422, '2026-01-01'), (base + '&dn=0', 422, 'dn'), (base + '&after=zz', 422, 'after'),
                               ('/v1/verifications/due?from=2026-02-30&to=2026-03-01', 422, '2026-02-30')):
        found, text = call('GET', path)
        if found != status or says not in text:
            raise AssertionError(f'{path}: expected {status} with {says}, found {found} {text}')


run([a_fleet_by_the_dice, lists_hold_all_that_falls_due_in_order, pages_of_any_size_join_to_the_whole, the_overdue_come_longest_first_and_those_never_verified_last,
     counts_are_those_of_the_lists, pages_of_counts_join, a_change_of_life_counts_at_once, a_unit_is_counted_its_own, what_cannot_be_asked_is_refused])
