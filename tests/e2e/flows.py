"""Readings of meters behind which water leaks, bursts, flows back or goes to and fro, an hour each, as CSV: flows.py FROM-DAY TO-DAY
Days count from 1 March 2026 in Shanghai. What happens behind each meter stands in WATER and BACK; all live alike."""
import sys
from datetime import datetime, timedelta, timezone

first, last = (int(x) * 24 for x in sys.argv[1:3])
begin = datetime(2026, 2, 28, 16, tzinfo=timezone.utc)
LIVED = [0, 0, 0, 0, 0, 0, 30, 45, 20, 5, 0, 8, 20, 10, 0, 0, 5, 20, 45, 40, 25, 15, 10, 0]


def at(day, hour=0):
    return day * 24 + hour


# Litres of the hour `h` besides what is lived.
WATER = {
    "QUIET": lambda h: 0,
    "LEAK": lambda h: 20 if at(20, 12) <= h < at(26, 12) else 0,
    "GROWS": lambda h: 4 * 1.09 ** ((h - at(16)) // 24) if h >= at(16) else 0,
    "BURST": lambda h: 1000 if at(20, 3) <= h < at(20, 13) else 0,
    # 60 L an hour run for weeks, and beside them a pipe bursts.
    "CAUSE": lambda h: (60 if h >= at(15, 12) else 0) + (1200 if h >= at(25, 20) else 0),
    "AWAY": lambda h: 20 if h >= at(20, 12) else 0,
    "BOTH": lambda h: 0,
    "NET": lambda h: 0,
    "DIGITS": lambda h: 0,
    "TURNS": lambda h: 6 if h >= at(20) and h % 24 < 6 else 0,
}
BACK = {
    "BOTH": lambda h: 300 if h == at(20, 14) else 0,
    "NET": lambda h: 400 if h == at(20, 14) else 0,
    "TURNS": lambda h: 6 if h >= at(20) and h % 24 < 6 else 0,
}
WRONG = {at(10, 9): 1000, at(20, 11): 100, at(20, 12): -1000, at(24, 3): -100, at(24, 4): -1000}  # of DIGITS: a wrong read, then two side by side, twice
NET_REGISTERS = ("NET", "DIGITS")

print("serial,time,index_l,channel")
for serial, water in WATER.items():
    forward = back = 5000
    for h in range(last + 1):
        when = (begin + timedelta(hours=h)).strftime("%FT%TZ")
        if h >= first:
            if serial in NET_REGISTERS:
                print(f"{serial},{when},{int(forward - back) + 20000 + (WRONG.get(h, 0) if serial == 'DIGITS' else 0)},net")
            else:
                print(f"{serial},{when},{int(forward)},")
                if serial in BACK:
                    print(f"{serial},{when},{int(back)},reverse")
        lived = 0 if serial == "AWAY" and h >= at(18) else LIVED[h % 24]
        forward += lived + water(h)
        back += BACK.get(serial, lambda _: 0)(h)
