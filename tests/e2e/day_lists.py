"""What test_day_lists.sh asks of a running nilod: day lists and orders by rule, held against what the handful of points below must give."""
import datetime
import json
import math
import subprocess
import sys
import threading
import urllib.request

from asking import ADMIN, SERVER, ask, call, do, run, same, settle, take

DUMP = sys.argv[1]
XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
TOUR = {}


def nilo(*words, code=0):
    p = subprocess.run(['nilo', *words], capture_output=True, check=False)
    if p.returncode != code:
        raise AssertionError(f'nilo {" ".join(words)}: {p.returncode} {p.stderr.decode()}')
    return p.stdout.decode()


def bytes_of(path, accept):
    q = urllib.request.Request(SERVER + path, headers={'Authorization': 'Bearer ' + ADMIN, 'Accept': accept})
    with urllib.request.urlopen(q, timeout=60) as a:
        same(a.headers['Content-Disposition'], 'attachment; filename="' + path.split('/')[-1] + '.xlsx"' if accept == XLSX else None, 'a file to keep')
        return a.headers['Content-Type'], a.read()


def keyed(path, body, key):
    q = urllib.request.Request(SERVER + path, data=json.dumps(body).encode(), method='POST',
                               headers={'Authorization': 'Bearer ' + ADMIN, 'Content-Type': 'application/json', 'Idempotency-Key': key})
    with urllib.request.urlopen(q, timeout=60) as a:
        return a.status, a.read()


def token(role, name, org=None):
    return do('/v1/tokens', {'role': role, 'name': name, **({'org': org} if org else {})})['token']


def order(point, kind='inspect', **more):
    return do('/v1/orders', {'kind': kind, 'point': point, **more})['order']


def metres(a, b):
    """Haversine on the sphere of the IUGG's mean radius."""
    (x, y), (u, v) = a, b
    h = math.sin(math.radians(v - y) / 2) ** 2 + math.cos(math.radians(y)) * math.cos(math.radians(v)) * math.sin(math.radians(u - x) / 2) ** 2
    return 2 * 6371008.8 * math.asin(math.sqrt(h))


def at(hour):
    """So many hours after 2027-03-01 in Greenwich."""
    return (datetime.datetime(2027, 3, 1) + datetime.timedelta(hours=hour)).strftime('%Y-%m-%dT%H:%M:%SZ')


def a_town_is_registered():
    take('orgs', ['org,parent', 'CO,', 'N,CO', 'S,CO'])
    take('routes', ['route,org', 'R1,N', 'R2,S'])
    take('crews', ['crew,org', 'K1,N', 'K2,S'])
    take('points', ['point,account,address,lon,lat,route,route_seq,phone']
         + [f'P{i},A{i},"{i} 号, =cmd()",114.30{i},30.6,R1,{9 - i},1380000{i}' for i in range(6)]
         + ['N1,A8,,,,R1,1,', 'Q1,A9,,114.9,30.6,R2,1,', 'U1,,,114.31,30.6,R1,10,'])
    take('meters', ['serial,dn,q3,verified_on']
         + [f'M{i},{15 + i},2.5,2025-06-01' for i in range(6)]
         + ['M8,15,2.5,2020-01-01', 'M9,80,40,2025-01-01', 'MU,15,2.5,'])
    take('fittings', ['point,serial,from,start_index_l']
         + [f'P{i},M{i},2026-01-01T00:00:00Z,{1000 * i}' for i in range(6)]
         + ['N1,M8,2026-01-01T00:00:00Z,0', 'Q1,M9,2026-01-01T00:00:00Z,0'])
    take('readings', ['serial,time,index_l'] + [f'M{i},2026-03-01T00:00:00Z,{1000 * i + 234.5}' for i in range(6)] + ['M9,2026-03-02T00:00:00Z,5'])


def orders_become_a_list_in_walking_order():
    for point in ('P3', 'P0', 'P5', 'P1', 'P4'):
        order(point, reason='look')
    order('P2', kind='read', priority='urgent')
    order('N1', kind='replace')
    wish = {'date': '2026-03-03', 'crew': 'K1', 'route': 'R1', 'start': {'lon': 114.2999, 'lat': 30.6}}
    shown = do('/v1/tours', {**wish, 'dry_run': True}, expect=(200,))
    same([t['tour'] for t in shown['tours']], [None], 'a dry run')
    same(ask('/v1/tours')['rows'], [], 'lists after a dry run')
    made = do('/v1/tours', wish, expect=(201,))
    same([w['code'] for w in made['warnings']], ['no-coordinates', 'late'] if made['warnings'][1:] else ['no-coordinates'], 'warnings')
    same(made['tours'][0]['orders'], shown['tours'][0]['orders'], 'the plan and what was shown')
    TOUR['name'] = made['tours'][0]['tour']
    same(TOUR['name'], 'T-2026-03-03-0001', 'its name')
    stops = ask('/v1/tours/' + TOUR['name'])['stops']
    same([s['point'] for s in stops], ['P0', 'P1', 'P2', 'P3', 'P4', 'P5', 'N1'], 'the way')
    same([s['stop'] for s in stops], list(range(1, 8)), 'numbers')
    same({s['assignee'] for s in stops} | {s['state'] for s in stops}, {'K1', 'assigned'}, 'whose they are')
    leg = metres((114.300, 30.6), (114.301, 30.6))
    same([s['leg_m'] for s in stops], [0] + [round(leg)] * 5 + [None], 'legs')
    row = ask('/v1/tours?date=2026-03-03')['rows'][0]
    same((row['tour'], row['assignee'], row['stops'], row['left'], row['unplaced'], row['metres']),
         (TOUR['name'], 'K1', 7, 7, 1, round(5 * leg)), 'the row')
    same(row['minutes'], 5 * 10 + 3 + 20 + math.ceil(5 * leg * 60 / 4000), 'minutes')


def a_key_plans_once():
    order('Q1')
    wish = {'date': '2026-03-04', 'crew': 'K2', 'route': 'R2'}
    same(keyed('/v1/tours', wish, 'plan-1'), keyed('/v1/tours', wish, 'plan-1'), 'two answers')
    same(len(ask('/v1/tours?date=2026-03-04')['rows']), 1, 'lists')


def two_plan_at_once_and_no_order_is_on_two_lists():
    names = [order(f'P{i}', kind='repair') for i in range(6)]
    answers = []
    threads = [threading.Thread(target=lambda c=c: answers.append(do('/v1/tours', {'date': '2026-03-07', 'crew': c, 'kinds': ['repair']}))) for c in ('K1', 'K2')]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    planned = [o for a in answers for t in a['tours'] for o in t['orders']]
    same(sorted(planned), sorted(names), 'each once')
    for name in names:
        do(f'/v1/orders/{name}/cancel', {'note': 'a trial'})
    same(ask('/v1/tours?date=2026-03-07')['rows'][0]['left'], 0, 'nothing left')


def a_dry_run_is_answered_once_under_its_key():
    wish = {'date': '2026-03-08', 'assignee': 'Wang', 'dry_run': True}
    first = keyed('/v1/tours', wish, 'dry-1')
    name = order('P0', kind='repair')
    same(keyed('/v1/tours', wish, 'dry-1'), first, 'a plan')
    rule = {'rule': 'never-verified', 'dry_run': True}
    second = keyed('/v1/orders/by-rule', rule, 'dry-2')
    same(keyed('/v1/orders/by-rule', rule, 'dry-2'), second, 'a rule')
    do(f'/v1/orders/{name}/cancel', {'note': 'a trial'})


def what_the_crew_compares_is_there_but_for_a_read():
    stops = ask('/v1/tours/' + TOUR['name'])['stops']
    same([s['last_index_l'] for s in stops], [234.5, 1234.5, None, 3234.5, 4234.5, 5234.5, None], 'last readings')
    same([s['last_read_at'] for s in stops][:3], ['2026-03-01T00:00:00Z', '2026-03-01T00:00:00Z', None], 'and when')
    same((stops[1]['account'], stops[1]['address'], stops[1]['phone'], stops[1]['serial'], stops[1]['dn'], stops[1]['text_en']),
         ('A1', '1 号, =cmd()', '13800001', 'M1', 16, 'look'), 'a stop')
    kind, text = bytes_of('/v1/tours/' + TOUR['name'], 'application/geo+json')
    if b'2234.5' in text:
        raise AssertionError('the last reading shows in GeoJSON')
    same(kind, 'application/geo+json', 'its type')


def a_map_takes_it():
    _, text = bytes_of('/v1/tours/' + TOUR['name'], 'application/geo+json')
    same(text, call('GET', f'/v1/tours/{TOUR["name"]}?form=geojson')[1].encode(), 'the other way to ask')
    g = json.loads(text)
    same((g['type'], len(g['features'])), ('FeatureCollection', 8), 'the collection')
    same([f['geometry'] and f['geometry']['type'] for f in g['features']], ['Point'] * 6 + [None, 'LineString'], 'geometries')
    line = g['features'][-1]['geometry']['coordinates']
    same(line, [f['geometry']['coordinates'] for f in g['features'][:6]], 'the way is the points in order')
    same(line[2], [114.302, 30.6], 'longitude first')
    same(g['features'][2]['properties']['order'], ask('/v1/tours/' + TOUR['name'])['stops'][2]['order'], 'properties')


def a_printer_takes_it():
    kind, text = bytes_of('/v1/tours/' + TOUR['name'], XLSX)
    same(kind, XLSX, 'its type')
    with open('tour.xlsx', 'wb') as f:
        f.write(text)
    lines = subprocess.run([sys.executable, DUMP, 'tour.xlsx'], capture_output=True, check=True, text=True).stdout.splitlines()
    for line in ('sheet\t' + TOUR['name'], 'pane\tactivePane=bottomLeft state=frozen topLeftCell=A2 ySplit=1',
                 f"name\t_xlnm.Print_Titles\t'{TOUR['name']}'!$1:$1", 'pageSetup\tfitToHeight=0 orientation=landscape paperSize=9',
                 'cell\tA1\ttext\tGeneral\t["序号\\nNo."]', 'cell\tA2\tn\t0\t1', 'cell\tF3\ttext\t@\t["A1"]',
                 'cell\tG3\ttext\t@\t["1 号, =cmd()"]', 'cell\tI3\ttext\t@\t["M1"]', 'cell\tJ3\tn\t0\t16', 'cell\tK3\ttext\t@\t["look"]',
                 'cell\tL3\tn\t0.000\t1.2345', 'cell\tL4\tempty\t0.000', 'cell\tM3\tn\tyyyy-mm-dd hh:mm\t46082.33333333334',
                 'cell\tO3\tempty\tGeneral', 'cell\tT3\tempty\tGeneral', 'cell\tC8\ttext\t@\t["换表\\nreplace"]'):
        if line not in lines:
            raise AssertionError(f'no {line!r} in\n' + '\n'.join(lines))
    if any(line.startswith('FORMULA') for line in lines):
        raise AssertionError('a formula')
    choice = [line for line in lines if line.startswith('choice\tT2:T8')]
    if not choice or '门闭' not in choice[0]:
        raise AssertionError(f'no choice of results: {choice}')


def forms_that_are_not_there_are_refused():
    same(call('GET', f'/v1/tours/{TOUR["name"]}?form=pdf')[0], 422, 'form=pdf')
    same(call('GET', '/v1/tours/' + TOUR['name'], accept='text/csv')[0], 406, 'Accept: text/csv')
    same(call('GET', '/v1/meters', accept='image/png')[0], 406, 'a list as a picture')
    for name in ('T-2026-03-03-0099', 'T-2026-03-03-1', 'x', 'T' * 300):
        status, text = call('GET', '/v1/tours/' + name)
        same((status, json.loads(text)['field']), (404, 'tour'), name)
    same(call('GET', '/v1/tours?date=2026-02-30')[0], 422, 'no day')
    same(call('GET', '/v1/tours?crew=K9')[0], 404, 'no crew')


def lists_have_pages_and_forms():
    row = ask('/v1/tours?limit=1')
    same(row['rows'][0]['tour'], 'T-2026-03-03-0001', 'the first')
    same(ask('/v1/tours?limit=1&after=' + row['next'])['rows'][0]['tour'], 'T-2026-03-04-0001', 'the next')
    same([r['tour'] for r in ask('/v1/tours?crew=K2')['rows']], ['T-2026-03-04-0001'], 'of a crew')
    same(call('GET', '/v1/tours?date=2026-03-03', accept='text/csv')[1].splitlines()[0], 'tour,date,assignee,stops,left,late,unplaced,metres,minutes', 'CSV')


def a_unit_sees_and_plans_its_own():
    north, south, viewer = token('supervisor', 'north', 'N'), token('supervisor', 'south', 'S'), token('viewer', 'all')
    same([r['tour'] for r in ask('/v1/tours', north)['rows']], ['T-2026-03-03-0001'], 'what N sees')
    same([r['tour'] for r in ask('/v1/tours', south)['rows']], ['T-2026-03-04-0001'], 'what S sees')
    same(call('GET', '/v1/tours/T-2026-03-03-0001', token=south)[0], 403, 'another unit\'s list')
    same(call('GET', '/v1/tours/T-2026-03-03-0001?form=xlsx', token=south)[0], 403, 'and as a workbook')
    same(call('GET', '/v1/tours/T-2026-03-03-0001', token=viewer)[0], 200, 'a viewer of all')
    same(call('POST', '/v1/tours', {'date': '2026-03-05', 'crew': 'K1'}, token=south)[0], 403, 'another unit\'s crew')
    named = ask('/v1/orders?point=P0')['rows'][0]['order']
    same(call('POST', '/v1/tours', {'date': '2026-03-05', 'crew': 'K2', 'orders': [named]}, token=south)[0], 403, 'another unit\'s order')
    order('P0', kind='verify')
    same(do('/v1/tours', {'date': '2026-03-05', 'crew': 'K2'}, token=south)['planned'], 0, 'what S finds')
    same(call('POST', '/v1/tours', {'date': '2026-03-05', 'crew': 'K1'}, token=viewer)[0], 403, 'a viewer plans')
    same(do('/v1/tours', {'date': '2026-03-05', 'crew': 'K1'}, token=north)['planned'], 1, 'what N finds')


def who_gives_an_order_to_another_takes_it_off_the_list():
    named = ask('/v1/orders?point=P5')['rows'][0]
    same(named['tour'], TOUR['name'], 'its list')
    do('/v1/orders/' + named['order'], {'assignee': 'K2'})
    same(ask('/v1/orders/' + named['order'])['tour'], None, 'after it went to K2')
    same(ask('/v1/tours/' + TOUR['name'])['count'], 6, 'stops that are left')
    stops = ask('/v1/tours/' + TOUR['name'])['stops']
    do(f'/v1/orders/{stops[0]["order"]}/done', {'result': 'no-access'})
    do(f'/v1/orders/{stops[1]["order"]}/done', {'result': 'not-found'})
    row = ask('/v1/tours?date=2026-03-03')['rows'][0]
    same((row['stops'], row['left']), (5, 4), 'one back, one done')
    same(ask('/v1/tours/' + TOUR['name'])['stops'][0]['result'], 'not-found', 'the result')


def people_have_commands():
    told = json.loads(nilo('tour', 'plan', '2026-03-06', '--assignee', 'Wang', '--dry-run', '--max-stops', '3', '--start', '114.3,30.6', '--kinds', 'inspect,read'))
    same((told['assignee'], told['dry_run']), ('Wang', True), 'tour plan')
    nilo('tour', 'plan', '2026-03-06', '--assignee', 'Wang', '--start', 'here', code=2)
    nilo('tour', 'plan', '2026-03-06', '--assignee', 'Wang', '--max-stops', 'x', code=2)
    nilo('tour', 'plan', '2026-03-06', code=1)
    same(nilo('tour', 'list', '--format', 'csv').splitlines()[1].split(',')[0], 'T-2026-03-03-0001', 'tour list')
    nilo('tour', 'show', TOUR['name'], '--xlsx', 'a.xlsx', '--geojson', 'a.geojson')
    same(open('a.xlsx', 'rb').read(2), b'PK', 'a workbook')
    same(json.load(open('a.geojson', encoding='utf-8'))['type'], 'FeatureCollection', 'a map')
    if 'P2' in nilo('tour', 'show', TOUR['name'], '--format', 'table') or 'A2' not in nilo('tour', 'show', TOUR['name'], '--format', 'table'):
        raise AssertionError(nilo('tour', 'show', TOUR['name'], '--format', 'table'))
    nilo('tour', 'show', 'T-2026-03-03-0099', '--xlsx', 'b.xlsx', code=1)
    same(subprocess.run(['ls', 'b.xlsx'], capture_output=True, check=False).returncode != 0, True, 'no file where there is no list')
    if 'never-verified' not in nilo('order', 'rules', '--format', 'table'):
        raise AssertionError('order rules')
    same(json.loads(nilo('order', 'make', 'due-replace', '--dry-run'))['created'], 0, 'order make')
    nilo('order', 'make', 'no-such', code=1)


def rules_make_orders_the_worst_first():
    do('/v1/orders/by-rule', {'rule': 'no-such'}, expect=(404,))
    for wrong in ({}, {'rule': 'overdue-replace', 'limit': 0}, {'rule': 'overdue-replace', 'x': 1}, {'rule': 'overdue-replace', 'dry_run': 'yes'}):
        do('/v1/orders/by-rule', wrong, expect=(422,))
    # M8 was verified in 2020: over since January; a live order to replace is there already.
    told = do('/v1/orders/by-rule', {'rule': 'overdue-replace'}, expect=(200,))
    same((told['found'], told['created'], told['skipped']['open']), (1, 0, 1), 'M8 has its order')
    # M9 is periodic, and due in 2027; M0 to M5 are due in 2031.
    same(do('/v1/orders/by-rule', {'rule': 'overdue-verify'}, expect=(200,))['found'], 0, 'periodic ones')
    do('/v1/clock', {'now': '2026-12-01T02:00:00Z'})
    told = do('/v1/orders/by-rule', {'rule': 'due-verify', 'dry_run': True}, expect=(200,))
    same((told['created'], told['orders'][0]['order'], told['orders'][0]['serial']), (1, None, 'M9'), 'a dry run')
    same(do('/v1/orders/by-rule', {'rule': 'due-verify', 'route': 'R1'}, expect=(200,))['skipped']['elsewhere'], 1, 'another route')
    made = do('/v1/orders/by-rule', {'rule': 'due-verify'}, expect=(201,))
    same(made['created'], 1, 'made')
    o = ask('/v1/orders/' + made['orders'][0]['order'])
    same((o['kind'], o['point'], o['serial'], o['priority'], o['rule'], o['state']), ('verify', 'Q1', 'M9', 'normal', 'due-verify', 'open'), 'the order')
    if '请送检' not in o['reason'] or 'have the meter verified' not in o['reason']:
        raise AssertionError(o['reason'])
    same(do('/v1/orders/by-rule', {'rule': 'due-verify'}, expect=(200,))['skipped']['open'], 1, 'again')
    do(f'/v1/orders/{o["order"]}/cancel', {'note': 'not now'})
    same(do('/v1/orders/by-rule', {'rule': 'due-verify'}, expect=(200,))['skipped']['recent'], 1, 'cancelled lately')
    do('/v1/clock', {'now': '2027-01-01T02:00:00Z'})
    same(do('/v1/orders/by-rule', {'rule': 'due-verify'}, expect=(201,))['created'], 1, 'a month later')
    settle()
    told = do('/v1/orders/by-rule', {'rule': 'silent-read', 'limit': 2}, expect=(201,))
    same([r['serial'] for r in told['orders']], ['M8', 'M0'], 'never read, then the longest silent')
    same([w['code'] for w in told['warnings']], ['more'], 'more are silent')
    south = do('/v1/orders/by-rule', {'rule': 'silent-read', 'dry_run': True}, token=token('supervisor', 'south2', 'S'), expect=(200,))
    same((south['found'], south['created'], south['skipped']['elsewhere'], [o['serial'] for o in south['orders']]), (1, 1, 0, ['M9']), 'what S finds')
    viewer = token('crew', 'handheld')
    same(call('POST', '/v1/orders/by-rule', {'rule': 'silent-read'}, token=viewer)[0], 403, 'a crew')


def a_rule_works_by_itself_when_its_table_says_so():
    same([r['rule'] for r in ask('/v1/order-rules')['rows'] if r['auto']], ['never-verified'], 'auto')
    same(ask('/v1/orders?serial=MU')['rows'], [], 'before')
    take('fittings', ['point,serial,from,start_index_l', 'U1,MU,2026-06-01T00:00:00Z,0'])
    do('/v1/clock', {'now': '2027-01-02T02:00:00Z'})
    settle()
    rows = ask('/v1/orders?serial=MU')['rows']
    same([(o['kind'], o['rule'], o['created_by'], o['state']) for o in rows], [('inspect', 'never-verified', 'nilod', 'open')], 'after')
    settle()
    do('/v1/clock', {'now': '2027-01-03T02:00:00Z'})
    settle()
    same(len(ask('/v1/orders?serial=MU')['rows']), 1, 'once')


def what_a_flag_became_is_shown_with_its_order():
    index = 3000
    rows = []
    for hour in range(24 * 290):  # four months of use, then the register stands until nobody can be away that long
        index += hour * 7919 % 31 if hour < 24 * 120 and hour % 24 > 5 else 0
        rows.append(f'M1,{at(hour)},{index}')
    do('/v1/clock', {'now': at(24 * 290)})
    take('readings', ['serial,time,index_l'] + rows)
    settle()
    flags = ask('/v1/flags?kind=stuck&serial=M1')['rows']
    same([f['state'] for f in flags], ['open'], 'the flag')
    made = do('/v1/orders/by-rule', {'rule': 'stuck-inspect'}, expect=(201,))
    same([(o['serial'], o['flag']) for o in made['orders']], [('M1', flags[0]['id'])], 'the order')
    name = made['orders'][0]['order']
    planned = do('/v1/tours', {'date': at(24 * 290)[:10], 'crew': 'K1', 'orders': [name]})
    stop = ask('/v1/tours/' + planned['tours'][0]['tour'])['stops'][0]
    same((stop['flag_state'], stop['text_zh']), ('open', flags[0]['text_zh']), 'the stop')
    row = [o for o in ask('/v1/orders?serial=M1&state=assigned')['rows'] if o['order'] == name][0]
    same(row['flag_state'], 'open', 'the row')
    do('/v1/clock', {'now': at(24 * 293)})
    # It moves again: the flag is over before the crew went, and the dispatcher sees it; the order stays.
    take('readings', ['serial,time,index_l'] + [f'M1,{at(hour)},{index + 20 * (hour - 24 * 290 + 1)}' for hour in range(24 * 290, 24 * 293)])
    settle()
    same(ask('/v1/flags/' + flags[0]['id'])['state'], 'cleared', 'the flag later')
    o = ask('/v1/orders/' + name)
    same((o['state'], o['flag_state']), ('assigned', 'cleared'), 'the order later')
    same(do('/v1/orders/by-rule', {'rule': 'stuck-inspect'}, expect=(200,))['found'], 0, 'nothing to find')


run([a_town_is_registered, orders_become_a_list_in_walking_order, a_key_plans_once, what_the_crew_compares_is_there_but_for_a_read, a_map_takes_it, a_printer_takes_it,
     forms_that_are_not_there_are_refused, lists_have_pages_and_forms, a_unit_sees_and_plans_its_own, who_gives_an_order_to_another_takes_it_off_the_list,
     people_have_commands, two_plan_at_once_and_no_order_is_on_two_lists, a_dry_run_is_answered_once_under_its_key,
     rules_make_orders_the_worst_first, a_rule_works_by_itself_when_its_table_says_so, what_a_flag_became_is_shown_with_its_order])
