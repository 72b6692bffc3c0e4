"""Meters that live day after day beside a nilod with a virtual clock: at ten in the morning of each day (Shanghai) the clock is set and each of them sends one native report
over CoAP, with a reading an hour since the report before. What they were goes on from call to call in the file `meters.json`.

    reporting.py HOST:PORT DAYS METER[:KEY=VALUE,...]...

    use=L      litres a day, between 6 and 22 o'clock (the default: 320)       night=L   litres an hour besides, by day and night
    status=N   status bits                                                  mv=N      battery (3600)
    fall=N     mV a day by which the battery falls from here on                 off=S     its clock is so many seconds ahead
    drift=S    and runs off by so many more a day                               skip=1    it reports nothing, and sends all of it when it reports again
    lose=1     nor ever sends it                                               channel=N  of the register: 0 forward (the default), 2 net
    glitch=L   one value of the day is higher by so many litres                again=1    yesterday's values come once more, as today's
    guess=L    of the day one value comes, too high by so many litres            set=L      the register goes on from there
"""
import json
import os
import socket
import struct
import sys

from asking import do

START = 1772323200 - 4 * 86400  # 2026-02-25T00:00:00Z
NEW = {'litres': 5000, 'day': 0, 'owed': [], 'sent': [], 'mv': 3600, 'off': 0}


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


def field(number, wire, body):
    return varint(number << 3 | wire) + body


def text(number, body):
    return field(number, 2, varint(len(body)) + body)


def encode(serial, sent, readings, status, mv, channel=0):
    """readings: litres, the newest first, an hour apart, the newest at `sent` rounded down to the hour."""
    at = sent // 3600 * 3600
    series = field(1, 0, varint(channel)) + field(3, 0, zigzag(readings[0])) + field(4, 5, struct.pack('<I', at))
    if len(readings) > 1:
        series += field(5, 0, varint(3600)) + text(6, b''.join(zigzag(a - b) for a, b in zip(readings, readings[1:])))
    return (text(1, serial.encode()) + field(3, 5, struct.pack('<I', sent)) + text(4, series)
            + (field(5, 0, varint(status)) if status else b'') + field(6, 0, varint(mv)))


class Line:
    """A way to the server: each report is answered before the next is sent."""

    def __init__(self, where):
        host, port = where.rsplit(':', 1)
        self.to = (host, int(port))
        self.mid = int.from_bytes(os.urandom(2), 'big')
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5)

    def close(self):
        self.socket.close()

    def send(self, body, expect=0x44):
        self.mid = self.mid + 1 & 0xffff
        message = b'\x40\x02' + struct.pack('>H', self.mid) + b'\xb1r\xff' + body
        for _ in range(12):  # as RFC 7252 has it: once more where nothing comes
            self.socket.sendto(message, self.to)
            try:
                answer = self.socket.recv(1500)
            except socket.timeout:
                continue
            if answer[2:4] == message[2:4]:
                assert answer[1] == expect, (hex(answer[1]), answer[4:])
                return
        raise AssertionError('no answer')


def pass_day(meter, wish):
    """24 hours of use, the newest reading last."""
    for hour in range(24):
        local = (hour + 10) % 24  # from ten o'clock to ten
        meter['litres'] += wish.get('night', 0) + (wish.get('use', 320) // 16 if 6 <= local < 22 else 0)
        meter['owed'].append(meter['litres'])
    meter['mv'] -= wish.get('fall', 0)
    meter['off'] += wish.get('drift', 0)


def reports(meter, wish):
    """The readings of each report of the day, the oldest first."""
    owed = list(meter['owed'])
    if 'glitch' in wish:
        owed[11] += wish['glitch']
    if 'guess' in wish:
        return [[owed[-1] + wish['guess']]]
    return [owed] + ([meter['sent']] if 'again' in wish else [])


def wishes(words):
    for word in words:
        serial, _, rest = word.partition(':')
        yield serial, {k: int(v, 0) for k, v in (pair.split('=') for pair in rest.split(',') if pair)}


def live(where, days, words):
    meters = json.load(open('meters.json', encoding='ascii')) if os.path.exists('meters.json') else {}
    asked = list(wishes(words))
    today = max((m['day'] for m in meters.values()), default=0)
    for serial, wish in asked:
        meter = meters.setdefault(serial, dict(NEW, owed=[], sent=[]))
        meter['litres'] = wish.get('set', meter['litres'])
        meter['mv'] = wish.get('mv', meter['mv'])
        meter['off'] = wish.get('off', meter['off'])
    for _ in range(days):
        today += 1
        line = Line(where)  # an endpoint of its own: one may not report without end
        now = START + today * 86400 + 2 * 3600
        do('/v1/clock', {'now': now_text(now)})
        for serial, wish in asked:
            meter = meters[serial]
            pass_day(meter, wish)
            meter['day'] = today
            if wish.get('lose'):
                meter['owed'] = []
            if wish.get('skip') or wish.get('lose'):
                continue
            for readings in reports(meter, wish):
                line.send(encode(serial, now + meter['off'], readings[::-1][:1000], wish.get('status', 0), meter['mv'], wish.get('channel', 0)))
            meter['sent'] = meter['owed']
            meter['owed'] = []
        line.close()
    json.dump(meters, open('meters.json', 'w', encoding='ascii'))
    do('/v1/settle', {})


def now_text(at):
    from datetime import datetime, timezone
    return datetime.fromtimestamp(at, timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')


if __name__ == '__main__':
    live(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
