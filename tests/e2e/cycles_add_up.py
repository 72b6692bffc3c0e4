"""Random lives of meters, told in a random order, with edits that are asked for, approved, refused and taken back in between: over all closed cycles, determinants and
adjustments add up to what the registers moved, to the litre; and at every moment each figure stands where consumption stands. A model of its own knows what flowed: SERVER TOKEN [SEED]."""
import json
import random
import sys
import urllib.request
from datetime import datetime, timedelta, timezone
from decimal import Decimal

server, token, seed = sys.argv[1], sys.argv[2], sys.argv[3] or str(random.randrange(10**9))
print('        seed: NILO_SEED=%s' % seed)
rnd = random.Random(seed)
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 5, 31, 16, tzinfo=timezone.utc)                         # the first of June at +08:00
MONTHS = [BEGIN, BEGIN + timedelta(30), BEGIN + timedelta(61), BEGIN + timedelta(92)]


def ask(method, path, body=None, kind='application/json', accept='application/json'):
    r = urllib.request.Request(server + path, method=method, data=body.encode() if body is not None else None,
                               headers={'Authorization': 'Bearer ' + token, 'Content-Type': kind, 'Accept': accept})
    try:
        with urllib.request.urlopen(r, timeout=60) as answer:
            return json.loads(answer.read() or b'{}', parse_float=Decimal)
    except urllib.error.HTTPError as e:
        sys.exit('%s %s: %d %s' % (method, path, e.code, e.read().decode()))


def wish(who, path, **body):
    """What may be refused: the answer, or None."""
    r = urllib.request.Request(server + path, method='POST', data=json.dumps(body).encode(), headers={'Authorization': 'Bearer ' + who, 'Content-Type': 'application/json'})
    try:
        with urllib.request.urlopen(r, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as e:
        assert e.code in (403, 409, 422), '%s: %d %s' % (path, e.code, e.read().decode())
        return None


def post(path, **body):
    return ask('POST', path, json.dumps(body))


def bring(name, header, rows):
    ask('POST', '/v1/import/' + name, '\n'.join([header] + [','.join(map(str, r)) for r in rows]) + '\n', 'text/csv')


def z(t):
    return t.strftime('%Y-%m-%dT%H:%M:%SZ')


class Point:
    """What flowed by the hour, and under which meters; a dial of 50 m3 rolls over."""

    def __init__(self, n):
        self.name, self.modulus = 'S%02d' % n, rnd.choice((50000, 100000000))
        self.flow = [rnd.choice((0, 0, 3, 7, rnd.randrange(120))) for _ in range(92 * 24 + 1)]
        changes = sorted(rnd.sample(range(48, 90 * 24), rnd.choice((0, 0, 1, 2))))
        ends = changes + [None]
        self.fits, begin = [], 0
        for k, end in enumerate(ends):
            self.fits.append(('%sM%d' % (self.name, k), begin, end, rnd.randrange(0, self.modulus)))
            begin = end
        self.total = sum(self.flow[:92 * 24])

    def index(self, fit, hour):
        return (fit[3] + sum(self.flow[fit[1]:hour])) % self.modulus

    def news(self):
        """What there is to tell, each with the hour from which it can be told."""
        for fit in self.fits:
            end = fit[2] if fit[2] is not None else 92 * 24
            hours = set(range(fit[1] + 12 - fit[1] % 12, end + 1, 12)) if rnd.random() < 0.5 else set()
            hours |= set(rnd.sample(range(fit[1], end + 1), min(end - fit[1], rnd.randrange(3, 40)))) | {fit[1], end}
            # A roll-over shows only where the readings beside it lie in the first and last tenth of the dial: one a day.
            if self.modulus == 50000:
                hours |= set(range(fit[1], end, 24))
            late = rnd.random() < 0.4
            for h in sorted(hours):
                yield h + (rnd.randrange(0, 60 * 24) if late and rnd.random() < 0.5 else rnd.randrange(1, 12)), ('read', fit[0], h, self.index(fit, h))
        at = 0
        for old, new in zip(self.fits, self.fits[1:]):
            at = max(at, old[2] + rnd.choice((1, 5, 40 * 24)))
            yield at, ('exchange', old, new)


points = [Point(n) for n in range(12)]
bring('routes', 'route', [['RS']])
bring('meters', 'serial,dn,q3,modulus_l,verified_on,certificate,state',
      [[f[0], 15, '2.5', p.modulus, '2026-01-01', 'C-' + f[0], 'issued' if k else ''] for p in points for k, f in enumerate(p.fits)])
bring('points', 'point,route', [[p.name, 'RS'] for p in points])
bring('fittings', 'point,serial,from,start_index_l', [[p.name, p.fits[0][0], z(BEGIN), p.fits[0][3]] for p in points])

news = sorted(((min(at, 95 * 24), i, p, what) for p in points for i, (at, what) in enumerate(p.news())), key=lambda n: (n[0], n[1]))
closings = [(MONTHS[k + 1] + timedelta(hours=rnd.randrange(1, 60)), k) for k in range(3)]
frozen = {}


def rows(path):
    found, after = [], ''
    while True:
        page = ask('GET', path + ('&after=' + after if after else ''))
        found += page['rows']
        if not page['next']:
            return found
        after = page['next']


def standing():
    """Where each frozen figure stands, and that it stands where consumption does."""
    adjustments = rows('/v1/adjustments?limit=1000')
    mine = [a for a in adjustments if a['cycle'].startswith('s')]
    assert [a['id'] for a in adjustments] == list(range(1, len(adjustments) + 1)), 'ids have a gap'
    stands, last = {k: (v['consumption_l'] or 0, v['billed_m3'] or 0) for k, v in frozen.items()}, {}
    for a in mine:
        key = a['cycle'], a['point']
        assert a['corrects'] == last.get(key), 'the chain is broken at %s' % a
        assert a['delta_l'] or a['delta_m3'], 'an adjustment of nothing: %s' % a
        last[key] = a['id']
        stands[key] = stands[key][0] + a['delta_l'], stands[key][1] + a['delta_m3']
        assert stands[key] == (a['value_l'], a['value_m3']), 'the value does not follow: %s' % a
    for (cycle, point), (litres, m3) in stands.items():
        k = int(cycle[1:])
        now = ask('GET', '/v1/points/%s/consumption?from=%s&to=%s' % (point, z(MONTHS[k]), z(MONTHS[k + 1])))
        if now['consumption_l'] is not None and (litres, m3) != (now['consumption_l'], now['billed_m3']):
            sys.exit('%s %s stands at %s L %s m3, consumption at %s L %s m3' % (cycle, point, litres, m3, now['consumption_l'], now['billed_m3']))
    return stands, len(mine)


def pull(k):
    return rows('/v1/cycles/s%d/determinants?limit=5' % k)


other = post('/v1/tokens', role='billing', name='second')['token']
known, told = {}, {'asked': 0, 'refused': 0, 'approve': 0, 'refuse': 0, 'undo': 0}


def edit(p, hour):
    """At an instant between the first and the last of the bills, for there the model knows what flowed: what the dial showed, or a little off, or far."""
    h = rnd.choice([k * 24 for k in (30, 61) if k * 24 < hour] + [rnd.randrange(1, hour)] * 3)
    fit = [f for f in p.fits if f[1] <= h and (f[2] is None or h < f[2])][0]
    dial = (p.index(fit, h) + rnd.choice((0, rnd.randrange(-400, 400), rnd.randrange(-9000, 9000)))) % p.modulus
    made = wish(rnd.choice((token, other)), '/v1/points/%s/edits' % p.name, at=z(BEGIN + h * HOUR), index_l=dial, reason='by the dice')
    told['asked' if made else 'refused'] += 1
    if made:
        known[made['id']] = made


def decide():
    """One that waits, where there is one, by whoever may; else one in force is taken back."""
    waiting = [e for e in known.values() if 'waiting' in e['state']]
    e = rnd.choice(waiting or list(known.values()))
    what = {'waiting': rnd.choice(('approve', 'approve', 'refuse')), 'undo-waiting': rnd.choice(('approve', 'refuse')), 'in-force': 'undo'}.get(e['state'])
    asker = e['undo_by'] if e['state'] == 'undo-waiting' else e['asked_by']
    made = what and wish(token if asker == 'second' else other, '/v1/edits/%d/%s' % (e['id'], what), **({'reason': 'by the dice'} if what == 'undo' else {}))
    if made:
        told[what] += 1
        known[e['id']] = made


at, n = BEGIN, 0
looks = rnd.sample(range(96), 12)
for hour in range(96 * 24 + 1):
    at = BEGIN + hour * HOUR
    due = []
    while n < len(news) and news[n][0] <= hour:
        due.append(news[n])
        n += 1
    closing = [k for t, k in closings if at <= t < at + HOUR]
    edits = rnd.choice((1, 2, 4)) if 48 < hour < 92 * 24 and rnd.random() < 0.06 else 0
    if not due and not closing and not edits and not (hour % 24 == 0 and hour // 24 in looks):
        continue
    post('/v1/clock', now=z(at))
    reads = [w for _, _, _, w in due if w[0] == 'read']
    if reads:
        rnd.shuffle(reads)
        bring('readings', 'serial,time,index_l', [[w[1], z(BEGIN + w[2] * HOUR), w[3]] for w in reads])
    for _, _, p, w in due:
        if w[0] == 'exchange':
            # What the old meter told from the van, and the new one before its paper came, stands in nobody's way.
            post('/v1/exchanges', point=p.name, at=z(BEGIN + w[1][2] * HOUR), old_serial=w[1][0], old_index_l=p.index(w[1], w[1][2]),
                 new_serial=w[2][0], new_index_l=w[2][3], reason='periodic', crew='T1', overrule=True, note='as it was')
    for _ in range(edits):
        if known and rnd.random() < 0.4:
            decide()
        else:
            edit(rnd.choice(points), hour)
    for k in closing:
        post('/v1/cycles', **{'cycle': 's%d' % k, 'from': z(MONTHS[k]), 'to': z(MONTHS[k + 1]), 'routes': ['RS']})
        post('/v1/cycles/s%d/close' % k)
        frozen.update({(d['cycle'], d['point']): d for d in pull(k)})
    if hour % 24 == 0 and hour // 24 in looks:
        ask('POST', '/v1/settle')
        standing()
ask('POST', '/v1/settle')
stands, count = standing()
for k in range(3):
    assert {(d['cycle'], d['point']): d for d in pull(k)}.items() <= frozen.items(), 'a frozen figure has changed'
for p in points:
    litres = sum(stands['s%d' % k, p.name][0] for k in range(3))
    if litres != p.total:
        sys.exit('%s: %d L flowed, the bills say %s' % (p.name, p.total, litres))
by_edit = sum(a['reason'] == 'edit' for a in rows('/v1/adjustments?limit=1000') if a['cycle'].startswith('s'))
print('        %d points, %d readings and exchanges, %d adjustments, %d of them by edits; edits: %s' % (len(points), len(news), count, by_edit, told))
assert told['asked'] and told['approve'] and told['undo'], 'the dice asked for too few edits'
