"""Dates by condition: throughput, what the meter says of itself, confirmed flags, the laboratory, faults; 1 000 hours at Q3, known for 30 days."""
import datetime as dt
import socket
import struct
import sys

from asking import ask, call, do, run, same, settle, take

COAP = sys.argv[1].rsplit(':', 1)
NAMES = ['THRU', 'SLOW', 'YOUNG', 'ALARM', 'LAB', 'FAULT', 'STORE', 'LAW', 'TURN']


def report(serial, status, index_l, number):
    """A native report over CoAP: meter, sent, a series of one index, status."""
    def varint(n):
        out = b''
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])
    series = b'\x18' + varint(index_l * 2)
    body = b'\x0a' + varint(len(serial)) + serial.encode() + b'\x22' + varint(len(series)) + series
    body += b'\x28' + varint(status)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.sendto(struct.pack('>BBH', 0x40, 2, number) + b'\xb1r\xff' + body, (COAP[0], int(COAP[1])))
        answer = s.recv(1200)
    same(answer[1], 0x44, f'answer to the report of {serial}')


def daily(serial, start, days, per_day_l, modulus_l=None, first=dt.date(2025, 11, 1)):
    for day in range(days + 1):
        index = start + day * per_day_l
        yield f'{serial},{first + dt.timedelta(day)}T00:00:00+08:00,{index % modulus_l if modulus_l else index}'


def dates(serial):
    m = ask('/v1/meters/' + serial)
    return m['condition_due'], m['condition_basis'], m['due_on'], m['legal_due']


def a_fleet():
    take('meters', ['serial,dn,q3,digits,verified_on'] + [f'{n},15,2.5,5,2025-10-01' for n in NAMES] + ['NEVER,15,2.5,5,'])
    take('points', ['point'] + [f'P-{n}' for n in NAMES + ['NEVER']])
    start = {'TURN': 99500000}
    take('fittings', ['point,serial,from,start_index_l'] +
         [f'P-{n},{n},2025-10-31T16:00:00Z,{start.get(n, 0)}' for n in NAMES + ['NEVER'] if n != 'STORE'])
    rows = list(daily('THRU', 0, 100, 10000)) + list(daily('SLOW', 0, 100, 100)) + list(daily('YOUNG', 0, 29, 10000))
    rows += list(daily('TURN', 99500000, 100, 10000, 100000000))
    take('readings', ['serial,time,index_l'] + rows)
    settle()


def volume_at_its_pace_reaches_the_limit_of_the_size():
    # 99 days are borne out by a later reading: 990 of 2 500 m3, so day 99 × 2500 / 990 = 250 of the fitting.
    due = str(dt.date(2025, 11, 1) + dt.timedelta(250))
    same(dates('THRU'), (due, 'throughput', due, '2031-10-01'), 'THRU')
    m = ask('/v1/meters/THRU')
    same(m['condition_text_en'], '990 m³ through it, its size is good for 2500', 'its words')
    same(m['condition_text_zh'], '累计通过 990 m³，此口径限 2500', 'its words in Chinese')


def a_register_that_turned_over_goes_on():
    same(dates('TURN')[:2], (str(dt.date(2025, 11, 1) + dt.timedelta(250)), 'throughput'), 'TURN')


def a_small_volume_moves_the_date_beyond_the_laws():
    due, basis, on, legal = dates('SLOW')  # 9.9 m3 in 99 days: 25 000 days
    same((basis, on, due > legal), ('throughput', legal, True), 'SLOW')


def what_is_known_for_too_short_a_time_says_nothing():
    same(dates('YOUNG'), (None, None, '2031-10-01', '2031-10-01'), 'YOUNG')
    same(ask('/v1/meters/YOUNG')['condition_text_en'], None, 'its words')
    same(dates('NEVER'), (None, None, None, None), 'NEVER')


def a_meter_that_reports_tampering_is_due_in_five_days():
    report('ALARM', 16, 100, 7)
    same(dates('ALARM')[:3], ('2026-03-07', 'alarm', '2026-03-07'), 'ALARM')
    same(ask('/v1/meters/ALARM')['condition_text_en'], 'it reports tamper', 'its words')
    report('ALARM', 0, 100, 8)
    same(dates('ALARM')[:2], (None, None), 'ALARM, once it says so no more')


def a_failed_inspection_stands_until_it_is_passed():
    do('/v1/meters/LAB/events', {'event': 'inspect', 'result': 'fail', 'at': '2026-02-20T10:00:00+08:00'})
    do('/v1/meters/LAB/events', {'event': 'inspect', 'result': 'fail', 'at': '2026-02-25T10:00:00+08:00'})
    same(dates('LAB')[:3], ('2026-02-20', 'lab', '2026-02-20'), 'LAB')
    do('/v1/meters/LAB/events', {'event': 'inspect', 'result': 'pass', 'at': '2026-02-26T10:00:00+08:00'})
    same(dates('LAB')[:2], (None, None), 'LAB, passed')


def a_fault_stands_until_the_meter_runs_again():
    do('/v1/meters/FAULT/events', {'event': 'fault', 'note': '停走', 'at': '2026-02-27T23:30:00+08:00'})
    same(dates('FAULT')[:2], ('2026-02-27', 'fault'), 'FAULT')
    do('/v1/meters/FAULT/events', {'event': 'resume', 'note': 'cleaned'})
    same(dates('FAULT')[:2], (None, None), 'FAULT, running')


def the_list_says_what_the_meters_own_page_says():
    rows = {r['serial']: r for r in ask('/v1/meters?limit=100')['rows']}
    for name in NAMES + ['NEVER']:
        one = ask('/v1/meters/' + name)
        for column in ('condition_due', 'condition_basis', 'condition_text_en', 'condition_text_zh', 'due_on'):
            same(rows[name][column], one[column], f'{column} of {name} in the list')
    same(call('GET', '/v1/meters?limit=1', accept='text/csv')[1].split('\r\n')[0].rsplit(',', 5)[1:],
         ['condition_due', 'condition_basis', 'condition_text_en', 'condition_text_zh', 'due_on'], 'columns')


def the_list_of_a_window_holds_what_is_due_in_it():
    """THRU and TURN on one day; FAULT and LAB, told again, on days of their own; ALARM by a report."""
    take('zones', ['zone', 'Z1'])
    take('points', ['point,zone', 'P-THRU,Z1', 'P-LAB,Z1'])
    report('ALARM', 16, 100, 9)
    do('/v1/meters/LAB/events', {'event': 'inspect', 'result': 'fail', 'at': '2026-02-28T10:00:00+08:00'})
    do('/v1/meters/FAULT/events', {'event': 'fault', 'note': '停走'})
    settle()
    thru = str(dt.date(2025, 11, 1) + dt.timedelta(250))
    whole = [('2026-02-28', 'LAB', 'lab'), ('2026-03-02', 'FAULT', 'fault'), ('2026-03-07', 'ALARM', 'alarm'), (thru, 'THRU', 'throughput'), (thru, 'TURN', 'throughput')]

    def rows(query):
        return [(r['condition_due'], r['serial'], r['condition_basis']) for r in ask('/v1/verifications/condition?' + query)['rows']]
    same(rows('from=2026-01-01&to=2026-12-31'), whole, 'the year')
    same(rows('from=2026-03-01&to=2026-03-07'), whole[1:3], 'a week')
    same(rows('from=2026-03-03&to=2026-03-06'), [], 'days between')
    same(rows('from=2026-01-01&to=2026-12-31&zone=Z1'), [whole[0], whole[3]], 'a zone')
    same(rows('from=2026-01-01&to=2026-12-31&dn=20'), [], 'a size that nobody has')
    found, after = [], ''
    while True:
        page = ask('/v1/verifications/condition?from=2026-01-01&to=2026-12-31&limit=1' + after)
        found += [(r['condition_due'], r['serial'], r['condition_basis']) for r in page['rows']]
        if page['next'] is None:
            break
        after = '&after=' + page['next']
    same(found, whole, 'pages of one')
    row = ask('/v1/verifications/condition?from=2026-03-02&to=2026-03-02')['rows'][0]
    same((row['days_left'], row['legal_due'], row['due_on'], row['point']), (0, '2031-10-01', '2026-03-02', 'P-FAULT'), 'its row')
    status, text = call('GET', '/v1/verifications/condition?from=2026-01-01&to=2030-01-01')
    if status != 422 or '2029-02-24' not in text:
        raise AssertionError(f'a window that ends in four years: {status} {text}')
    do('/v1/meters/FAULT/events', {'event': 'resume', 'note': 'cleaned'})
    same(rows('from=2026-02-01&to=2026-03-31'), [whole[0], whole[2]], 'after FAULT runs again')


def a_flag_that_a_person_confirmed_speaks_for_its_meter():
    take('meters', ['serial,dn,q3,verified_on', 'STUCK,15,2.5,2025-10-01'])
    take('points', ['point,use_class', 'P-STUCK,residential'])
    take('fittings', ['point,serial,from,start_index_l', 'P-STUCK,STUCK,2025-10-31T16:00:00Z,0'])
    hours = [dt.datetime(2025, 11, 1, tzinfo=dt.timezone(dt.timedelta(hours=8))) + dt.timedelta(hours=h) for h in range(24 * 110)]
    index, rows = 0, []
    for at in hours:
        index += 20 if at < hours[24 * 50] and at.hour in range(6, 22) else 0
        rows.append(f'STUCK,{at.isoformat()},{index}')
    take('readings', ['serial,time,index_l'] + rows)
    settle()
    flag = ask('/v1/flags?kind=stuck&serial=STUCK')['rows'][0]
    same(dates('STUCK')[1], 'throughput', 'STUCK, before anybody looked')
    do(f"/v1/flags/{flag['id']}", {'state': 'confirmed', 'note': 'seen'})
    onset = str((dt.datetime.fromisoformat(flag['onset'].replace('Z', '+00:00')) + dt.timedelta(hours=8)).date())
    same(dates('STUCK')[:2], (onset, 'alarm'), 'STUCK, confirmed')
    same(ask('/v1/meters/STUCK')['condition_text_en'], 'a flag that a person confirmed', 'its words')
    settle()
    same([r['serial'] for r in ask(f'/v1/verifications/condition?from={onset}&to={onset}')['rows']], ['STUCK'], 'the list of that day')


def the_past_and_what_is_not_fitted_have_no_such_date():
    same(dates('STORE')[:3], (None, None, '2031-10-01'), 'STORE')
    m = ask('/v1/meters/THRU?as_of=2026-02-01T00:00:00Z')
    same((m['condition_due'], m['due_on']), (None, '2031-10-01'), 'THRU as of an earlier day')
    do('/v1/meters/THRU/events', {'event': 'remove', 'index_l': 1000000, 'reason': 'age'})
    same(dates('THRU')[:2], (None, None), 'THRU, taken off')


run([a_fleet, volume_at_its_pace_reaches_the_limit_of_the_size, a_register_that_turned_over_goes_on, a_small_volume_moves_the_date_beyond_the_laws,
     what_is_known_for_too_short_a_time_says_nothing, a_meter_that_reports_tampering_is_due_in_five_days, a_failed_inspection_stands_until_it_is_passed,
     a_fault_stands_until_the_meter_runs_again, the_list_says_what_the_meters_own_page_says, the_list_of_a_window_holds_what_is_due_in_it, a_flag_that_a_person_confirmed_speaks_for_its_meter,
     the_past_and_what_is_not_fitted_have_no_such_date])
