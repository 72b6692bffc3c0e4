"""A fleet by the dice, and every figure of /v1/quality and /survival reckoned again from its events, plainly and by other ways than the server's."""
import datetime as dt
import math
import random
import sys
import urllib.parse

from asking import ask, call, do, run, same, settle, take

DICE = random.Random(int(sys.argv[1]))
NOW = dt.datetime(2026, 3, 2, 2, tzinfo=dt.timezone.utc)
ZONE = dt.timezone(dt.timedelta(hours=8))
YEAR = 365.25 * 86400
KINDS = ['stuck', 'reversed', 'slow', 'leaking', 'broken', 'battery', 'inaccurate', 'lost', 'other']
WORDS = {'停走': 'stuck', 'STUCK': 'stuck', '倒装': 'reversed', '漏水': 'leaking', 'frost': 'broken', '电池': 'battery', '': 'other', 'noise': 'other'}
METERS = {}  # serial → (model, supplier, batch, dn)
LIVES = {}   # serial → [(at, event, {…})]


def z(at):
    return at.strftime('%Y-%m-%dT%H:%M:%SZ')


def life(serial, point):
    """Events of a life along the state table: in service, faulty, taken off, at the laboratory, in service again."""
    at = dt.datetime(2018, 1, 1, tzinfo=dt.timezone.utc) + dt.timedelta(seconds=DICE.randrange(7 * 31557600))
    out, state, index = [], None, 0

    def step(least, most):
        nonlocal at
        at += dt.timedelta(seconds=DICE.randrange(least * 86400, most * 86400))
        return at < NOW
    while at < NOW and len(out) < 14:
        index += 1000
        if state is None:
            out.append((at, 'install', {'point': point, 'index_l': index}))
            state = 'running'
        elif state == 'running':
            pick = DICE.random()
            if pick < .35:
                word = DICE.choice(list(WORDS))
                note = word or 'unknown'
                out.append((at, 'fault', {'note': note}) if DICE.random() < .5 else (at, 'fault', {'note': 'see reason', 'reason': note}))
                state = 'faulty'
            elif pick < .5:
                out.append((at, 'inspect', {'result': DICE.choice(['pass', 'fail'])}))
            elif pick < .57:
                out.append((at, 'lose', {'note': 'stolen'}))
                break
            else:
                out.append((at, 'remove', {'index_l': index, 'reason': DICE.choice(['periodic', 'periodic', '停走', 'demolished', '电池'])}))
                state = 'removed'
        elif state == 'faulty':
            if DICE.random() < .4:
                out.append((at, 'resume', {'note': 'cleaned'}))
                state = 'running'
            else:
                out.append((at, 'remove', {'index_l': index, 'reason': DICE.choice(['faulty', 'exchange', '漏水'])}))
                state = 'removed'
        elif state == 'removed':
            if DICE.random() < .5:
                break
            out.append((at, 'to-lab', {'document': 'L-1'}))
            state = 'at-lab'
        else:
            out.append((at, 'inspect', {'result': DICE.choice(['pass', 'fail', 'fail'])}))
            break
        if not step(1, 900):
            break
    return out


def a_fleet_by_the_dice():
    rows, batches = [], {'B1': ('LX', '宁波'), 'B2': ('', 'Hefei'), 'B3': ('', '')}
    for n in range(400):
        serial = f'Q{n:03d}'
        model, supplier, batch, dn = DICE.choice(['LX', 'LX', 'US-20', '']), DICE.choice(['宁波', 'Hefei', '']), DICE.choice(['', 'B1', 'B2', 'B3']), DICE.choice([15, 20, 100])
        rows.append(f'{serial},{model},{dn},2.5,{batch},{supplier}')
        in_batch = batches.get(batch, ('', ''))
        METERS[serial] = (model or in_batch[0] or None, supplier or in_batch[1] or None, batch or None, str(dn))
        LIVES[serial] = [] if n % 29 == 0 else life(serial, f'P{n:03d}')
    take('models', ['model', 'LX'])
    take('batches', ['batch,model,supplier'] + [f'{b},{m},{s}' for b, (m, s) in batches.items()])
    take('meters', ['serial,model,dn,q3,batch,supplier'] + rows)
    take('points', ['point'] + [f'P{n:03d}' for n in range(400)])
    columns = ['point', 'index_l', 'result', 'document', 'note', 'reason']
    take('events', ['serial,event,at,' + ','.join(columns)] +
         [f'{s},{what},{z(at)},' + ','.join(str(facts.get(c, '')) for c in columns) for s, events in LIVES.items() for at, what, facts in events])
    settle()


# ---- the same, plainly ----

def kind_of(text):
    for word, kind in [('停走', 'stuck'), ('stuck', 'stuck'), ('倒装', 'reversed'), ('漏水', 'leaking'), ('frost', 'broken'), ('电池', 'battery'), ('faulty', 'other')]:
        if word in text.lower():
            return kind
    return None


def stretches_and_failures(events):
    """[(from, to)], [(kind, at, age in seconds)]: by the words of server/fleet/quality.h."""
    spans, told = [], []  # told: (at, kind or None where only told, fitting's number)
    start = None
    for at, what, facts in events:
        if what == 'install':
            start = at
        elif what in ('remove', 'lose'):
            spans.append((start, at))
            start = None
    if start:
        spans.append((start, NOW))

    def age(at):
        return sum((min(b, at) - a).total_seconds() for a, b in spans if a < at)
    failures, pending, fitted, told_here = [], None, False, False

    def tell(at, kind):
        nonlocal pending, told_here
        told_here = True
        if pending is None:
            pending = [kind, at]
        elif pending[0] == 'other' and kind != 'lost':
            pending[0] = kind

    def over():
        nonlocal pending
        if pending:
            failures.append((pending[0], pending[1], age(pending[1])))
        pending = None
    for at, what, facts in events:
        if what == 'install':
            fitted, told_here = True, False
        elif what == 'fault':
            tell(at, kind_of(facts.get('reason', '')) or kind_of(facts.get('note', '')) or 'other')
        elif what == 'resume':
            over()
        elif what == 'remove':
            if kind_of(facts['reason']):
                tell(at, kind_of(facts['reason']))
            over()
            fitted = False
        elif what == 'lose':
            tell(at, 'lost')
            over()
            fitted = False
        elif what == 'inspect' and facts['result'] == 'fail' and (fitted or not told_here):
            tell(at, 'inaccurate')
            if not fitted:
                over()
    over()
    return spans, failures


def at_most(k, mean):
    """P(X ≤ k), X Poisson: the sum itself."""
    return math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(k + 1)) if k >= 0 else 0.0


def bounds(k):
    def solve(n, share):
        low, high = 1e-9, 10 * (n + 10)
        for _ in range(200):
            mid = (low + high) / 2
            low, high = (mid, high) if at_most(n, mid) > share else (low, mid)
        return low
    return (solve(k - 1, .975) if k else 0.0), solve(k, .025)


def median(values):
    values = sorted(values)
    n = len(values)
    return values[n // 2] if n % 2 else (values[n // 2 - 1] + values[n // 2]) / 2


def civil(day):
    return dt.datetime.combine(day, dt.time(), ZONE)


def expected(by, first=None, last=None, model=None, supplier=None):
    begin = civil(first) if first else dt.datetime(1970, 1, 1, tzinfo=ZONE)
    end = min(civil(last + dt.timedelta(1)) if last else NOW, NOW)
    groups = {}
    for serial, (m, s, b, dn) in METERS.items():
        if (model and m != model) or (supplier and s != supplier):
            continue
        spans, failures = stretches_and_failures(LIVES[serial])
        names = {'model': m, 'supplier': s, 'batch': b, 'dn': dn}
        seen = set()
        for a, e in spans:
            a, e = max(a, begin), min(e, end)
            while a < e:
                year = a.astimezone(ZONE).year
                cut = min(e, dt.datetime(year + 1, 1, 1, tzinfo=ZONE)) if by == 'year' else e
                name = str(year) if by == 'year' else names[by]
                g = groups.setdefault(name, {'meters': 0, 'service': 0.0, 'kinds': dict.fromkeys(KINDS, 0), 'ages': []})
                g['meters'] += name not in seen
                seen.add(name)
                g['service'] += (cut - a).total_seconds()
                a = cut
        for kind, at, age in failures:
            if not begin <= at or (last and not at < end):
                continue
            name = str(at.astimezone(ZONE).year) if by == 'year' else names[by]
            g = groups.setdefault(name, {'meters': 0, 'service': 0.0, 'kinds': dict.fromkeys(KINDS, 0), 'ages': []})
            g['kinds'][kind] += 1
            if kind != 'lost':
                g['ages'].append(int(age // 86400))
    return groups


def close(found, wanted, what, digits=3):
    if found is None or abs(found - wanted) > 0.51 * 10 ** -digits * 2:
        raise AssertionError(f'{what}: expected {wanted}, found {found}')


def compare(rows, groups, what, number=False):
    order = sorted((n for n in groups if n is not None), key=lambda n: int(n) if number else n.encode()) + ([None] if None in groups else [])
    same([r['name'] for r in rows], order, f'names of {what}')
    for r in rows:
        g, label = groups[r['name']], f'{what} {r["name"]}'
        failures = sum(n for k, n in g['kinds'].items() if k != 'lost')
        low, high = bounds(failures)
        years = g['service'] / YEAR
        same((r['meters'], r['failures'], r['by_kind']), (g['meters'], failures, g['kinds']), label)
        close(r['service_meter_years'], years, label + ' years')
        close(r['per_1000_my'], 1000 * failures / years, label + ' rate')
        close(r['low'], 1000 * low / years, label + ' low')
        close(r['high'], 1000 * high / years, label + ' high')
        if g['ages']:
            close(r['median_age_at_failure_days'], median(g['ages']), label + ' median age', 1)
        else:
            same(r['median_age_at_failure_days'], None, label + ' median age')


def every_grouping_is_what_the_events_say():
    for by in ('model', 'supplier', 'batch', 'dn', 'year'):
        compare(ask('/v1/quality?by=' + by)['rows'], expected(by), by, by in ('dn', 'year'))
    compare(ask('/v1/quality')['rows'], expected('model'), 'without by')
    groups = expected('model')
    if sum(sum(g['kinds'].values()) for g in groups.values()) < 100:
        raise AssertionError('the dice made too few failures to tell anything')


def a_window_and_filters_cut_service_and_failures():
    first, last = dt.date(2021, 5, 17), dt.date(2024, 2, 29)
    query = f'from={first}&to={last}'
    compare(ask(f'/v1/quality?by=dn&{query}')['rows'], expected('dn', first, last), 'dn in a window', True)
    compare(ask(f'/v1/quality?by=year&{query}&model=LX')['rows'], expected('year', first, last, 'LX'), 'years of LX', True)
    compare(ask('/v1/quality?by=batch&supplier=' + urllib.parse.quote('宁波'))['rows'], expected('batch', supplier='宁波'), 'batches of a supplier')
    compare(ask('/v1/quality?model=nobody')['rows'], {}, 'of a model that nobody has')


def plain_survival(model=None, supplier=None):
    """Kaplan–Meier by the definition: for each age the product over all earlier ones."""
    lives = []
    for serial, (m, s, _, _) in METERS.items():
        spans, failures = stretches_and_failures(LIVES[serial])
        if (model and m != model) or (supplier and s != supplier) or not spans:
            continue
        real = [age for kind, _, age in failures if kind != 'lost']
        age = real[0] if real else sum((b - a).total_seconds() for a, b in spans)
        lives.append((int(age // 86400), bool(real)))
    ages = sorted({a for a, f in lives if f} | ({max(lives)[0]} if lives else set()))
    rows, s, v, before = [], 1.0, 0.0, -1
    for t in ages:
        n = sum(a >= t for a, _ in lives)
        d = sum(a == t and f for a, f in lives)
        s *= 1 - d / n
        v += d / (n * (n - d)) if n > d else 0
        c = sum(before < a <= t and not f for a, f in lives)
        low = high = s
        if s <= 0:
            low = high = None
        elif v > 0:
            w = 1.959963984540054 * math.sqrt(v) / math.log(s)
            low, high = sorted((s ** math.exp(w), s ** math.exp(-w)))
        rows.append((t, n, d, c, s, low, high))
        before = t
    return rows


def survival_is_the_product_limit():
    for path, wanted in (('models/LX', plain_survival('LX')), ('models/US-20', plain_survival('US-20')),
                         ('suppliers/' + urllib.parse.quote('宁波'), plain_survival(None, '宁波')),
                         ('models/LX', plain_survival('LX', 'Hefei'))):
        query = '?supplier=Hefei&' if wanted == plain_survival('LX', 'Hefei') else '?'
        rows = ask(f'/v1/{path}/survival{query}limit=10000')['rows']
        same([(r['age_days'], r['at_risk'], r['failed'], r['censored']) for r in rows], [w[:4] for w in wanted], path)
        half = next((w[0] for w in wanted if w[4] <= .5), None)
        for r, w in zip(rows, wanted):
            for column, n in (('survival', 4), ('low', 5), ('high', 6)):
                if w[n] is None:
                    same(r[column], None, f'{path} {column}')
                else:
                    close(r[column], w[n], f'{path} {column} at {w[0]}', 6)
            same(r['median_age_days'], half, f'{path} median')


def pages_join_to_the_whole():
    whole = ask('/v1/quality?by=batch')['rows']
    pages, after = [], ''
    while True:
        page = ask('/v1/quality?by=batch&limit=1' + after)
        pages += page['rows']
        if page['next'] is None:
            break
        after = '&after=' + page['next']
    same(pages, whole, 'pages of one')


def what_is_told_counts_at_once():
    before = {r['name']: r['failures'] for r in ask('/v1/quality')['rows']}
    take('meters', ['serial,model,dn,q3', 'NEW-1,LX,15,2.5'])
    take('points', ['point', 'P-NEW'])
    do('/v1/meters/NEW-1/events', {'event': 'install', 'point': 'P-NEW', 'index_l': 0, 'at': '2026-01-02T00:00:00Z'})
    do('/v1/meters/NEW-1/events', {'event': 'fault', 'note': 'stuck', 'at': '2026-02-02T00:00:00Z'})
    after = {r['name']: r['failures'] for r in ask('/v1/quality')['rows']}
    same(after['LX'], before['LX'] + 1, 'failures of LX')


def exchanges_show_what_the_old_meters_missed():
    """Old meters count 70, 75 … 100 % of what the new ones do; and one exchange for each reason to leave it out."""
    changed = dt.datetime(2025, 6, 1, tzinfo=ZONE)
    cases = [(f'X{n}', dt.datetime(2023, 6, 1, tzinfo=ZONE), changed, 700 + 50 * n, 1000) for n in range(7)]
    cases += [('XREC', dt.datetime(2023, 6, 1, tzinfo=ZONE), dt.datetime(2026, 1, 1, tzinfo=ZONE), 900, 1000),  # 90 days are not over
              ('XSHO', dt.datetime(2024, 7, 1, tzinfo=ZONE), changed, 900, 1000), ('XUNR', dt.datetime(2023, 6, 1, tzinfo=ZONE), changed, None, 1000),
              ('XUNU', dt.datetime(2023, 6, 1, tzinfo=ZONE), changed, 900, 5)]
    meters, points, fittings, readings = [], [], [], []
    for name, first, at, old, new in cases:
        meters += [f'{name}-old,UNDER,15,2.5', f'{name}-new,FRESH,15,2.5']
        points.append(f'P-{name}')
        end = (at - first).days * (old or 900)
        fittings += [f'P-{name},{name}-old,{z(first)},0,{z(at)},{end}', f'P-{name},{name}-new,{z(at)},0,,']
        if old:
            readings += [f'{name}-old,{z(first + dt.timedelta(d))},{d * old}' for d in range(0, (at - first).days)]
        readings += [f'{name}-new,{z(at + dt.timedelta(d))},{d * new}' for d in range(1, min(120, (NOW - at).days))]
    take('meters', ['serial,model,dn,q3'] + meters)
    take('points', ['point'] + points)
    take('fittings', ['point,serial,from,start_index_l,to,end_index_l'] + fittings)
    take('readings', ['serial,time,index_l'] + readings)
    settle()
    row = ask('/v1/quality?model=UNDER')['rows'][0]
    same(row['under_registration'], {'exchanges': 11, 'measured': 7, 'left_out': {'recent': 1, 'short': 1, 'unread': 1, 'unused': 1, 'unsampled': 0},
                                     'median_pct': 15.0, 'low': 0.0, 'high': 30.0}, 'under-registration of UNDER')
    years = {r['name']: r['under_registration']['exchanges'] for r in ask('/v1/quality?by=year&model=UNDER')['rows']}
    same((years['2025'], years['2026']), (10, 1), 'exchanges by year')
    row = ask('/v1/quality?model=UNDER&to=2025-12-31')['rows'][0]['under_registration']
    same((row['exchanges'], row['left_out']['recent']), (10, 0), 'exchanges in a window')
    fresh = ask('/v1/quality?model=FRESH')['rows'][0]['under_registration']
    same((fresh['exchanges'], fresh['median_pct']), (0, None), 'under-registration of FRESH')
    # Bayes by hand: columns 1, throughput and years; of one model without any other it has twice the variance to move in.
    years, thousands = 731 * 86400 / 31557600, [(731 * (700 + 50 * n)) / 1e6 for n in range(7)]
    y = [-math.log(0.7 + 0.05 * n) for n in range(7)]
    middle = sorted(y)[3]
    spread = 1.4826 * sorted(abs(v - middle) for v in y)[3]
    mean, variance = [0, 0.0113, 0], [0.05 ** 2, 2 * 0.0113 ** 2, 2 * 0.005 ** 2]
    a = [[(1 / variance[i] if i == j else 0) + sum((1, x, years)[i] * (1, x, years)[j] for x in thousands) / spread ** 2 for j in range(3)] for i in range(3)]
    b = [mean[i] / variance[i] + sum((1, x, years)[i] * v for x, v in zip(thousands, y)) / spread ** 2 for i in range(3)]
    for k in range(3):
        for i in range(3):
            if i != k:
                f = a[i][k] / a[k][k]
                a[i] = [u - f * w for u, w in zip(a[i], a[k])]
                b[i] -= f * b[k]
    s, t = b[1] / a[1][1], b[2] / a[2][2]
    rows = ask('/v1/models/UNDER/accuracy')['rows']
    same((len(rows), rows[0]['source'], rows[0]['exchanges'], rows[0]['exchanges_all']), (15, 'default', 7, 7), 'what the curve of UNDER rests on')
    for row in rows:
        want = 100 * (1 - math.exp(-s * row['throughput_m3'] / 1000 - t * row['years']))
        same(abs(want - row['missed_pct']) < 0.02 and row['low'] < row['missed_pct'] < row['high'], True, f"what UNDER misses after {row['years']} years")
    same(ask('/v1/models/UNDER/accuracy?limit=2&after=' + ask('/v1/models/UNDER/accuracy?limit=3')['next'])['rows'], rows[3:5], 'pages join')


def a_unit_is_told_of_its_own_meters():
    take('orgs', ['org,parent,level', 'CO,,company', 'T1,CO,team'])
    take('routes', ['route,org', 'R1,T1'])
    own = [s for s in LIVES if LIVES[s] and int(s[1:]) % 3 == 0]
    take('points', ['point,route'] + [f'P{s[1:]},R1' for s in own])
    token = do('/v1/tokens', {'role': 'viewer', 'name': 'team', 'org': 'T1'})['token']
    kept = dict(METERS)
    for s in kept:
        if s not in own:
            del METERS[s]
    compare(ask('/v1/quality?by=dn', token)['rows'], expected('dn'), 'dn of a unit', True)
    METERS.update(kept)


def what_cannot_be_asked_is_refused():
    for path, status, says in (('/v1/quality?by=colour', 422, 'supplier'), ('/v1/quality?from=2026-02-30', 422, 'from'),
                               ('/v1/quality?from=2026-02-02&to=2026-02-01', 422, '2026-02-01'), ('/v1/models/none/survival', 404, 'none'),
                               ('/v1/suppliers/none/survival', 404, 'none'), ('/v1/quality?colour=red', 400, 'colour')):
        found, text = call('GET', path)
        if found != status or says not in text:
            raise AssertionError(f'{path}: expected {status} with {says}, found {found} {text}')


run([a_fleet_by_the_dice, every_grouping_is_what_the_events_say, a_window_and_filters_cut_service_and_failures, survival_is_the_product_limit, pages_join_to_the_whole,
     what_is_told_counts_at_once, exchanges_show_what_the_old_meters_missed, a_unit_is_told_of_its_own_meters, what_cannot_be_asked_is_refused])
