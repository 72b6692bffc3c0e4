"""What test_replacements.sh asks of a running nilod: candidates, benefits, ranks, pages and budgets against a plain reckoning from flags, dates and prices.

Each function that begins with t_ is a claim, run in the order in which they stand."""
import csv
import datetime
import io
import json
import math
import os
import random
import subprocess
import sys
import urllib.error
import urllib.request

SERVER = os.environ["NILO_SERVER"]
ADMIN = open(os.environ["NILO_TOKEN_FILE"]).read().strip()
TODAY = datetime.date(2026, 3, 1)
HORIZON = 90

# The figures of server/fleet/defaults/cn.table, restated.
WATER = {"residential": 5.0, "commercial": 9.5, "industrial": 9.5, "public": 5.0}
CHANGE = [(15, 180), (20, 210), (25, 320), (40, 900), (50, 1600), (80, 2800)]


def call(method, path, body=None, token=ADMIN, accept="application/json", kind="application/json"):
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    r = urllib.request.Request(SERVER + path, data=data, method=method,
                               headers={"Authorization": "Bearer " + token, "Accept": accept, "Content-Type": kind})
    try:
        with urllib.request.urlopen(r, timeout=60) as a:
            return a.status, a.read().decode(), dict(a.headers)
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(), dict(e.headers)


def get(path, status=200, **kw):
    code, text, _ = call("GET", path, **kw)
    assert code == status, (path, code, text)
    return json.loads(text)


def post(path, body, status=(200, 201), **kw):
    code, text, _ = call("POST", path, body, **kw)
    assert code in status, (path, code, text)
    return json.loads(text) if text.strip() else None


def load(name, rows):
    """Rows of dicts as a file of the import."""
    out = io.StringIO()
    columns = sorted({c for r in rows for c in r})
    w = csv.DictWriter(out, columns, restval="")
    w.writeheader()
    w.writerows(rows)
    post("/v1/import/" + name, out.getvalue().encode(), kind="text/csv")


def settle():
    post("/v1/settle", {})


def listed(query="", **kw):
    return get("/v1/replacements" + query, **kw)["rows"]


# ---- a fleet ----

N = 240
meters, points, fittings, readings = [], {}, [], []
STUCK = range(10, 34)  # stand still since some days; some of them on hydrants and shops


def years_later(day, years):
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def build():
    uses = ["residential", "residential", "commercial", "industrial", "public"]
    sizes = [(15, "2.5", 6), (20, "4", 6), (40, "16", 4), (80, "63", 2)]
    for i in range(N):
        dn, q3, years = sizes[0 if i % 4 else (i // 4) % 4]
        m = {"serial": "M%03d" % i, "dn": dn, "q3": q3, "model": "LXS-%d%s" % (dn, "A" if i % 3 else "B"), "digits": 6}
        if i % 6:  # legal dates from 700 days before today to 1100 after
            due = TODAY + datetime.timedelta(days=(i * 37) % 1800 - 700)
            m["verified_on"] = str(years_later(due, -years))
        meters.append(m)
        zone = ["Z1", "Z11", "Z12", "Z2", ""][i % 5]
        points["P%03d" % i] = {"point": "P%03d" % i, "address": "%d Nile Street" % i, "use_class": uses[i % 5 if i % 7 else 0],
                               "zone": zone, "route": ["R1", "R2", "R3"][i % 3], "lon": "121.%03d" % i, "lat": "31.2"}
        fittings.append({"point": "P%03d" % i, "serial": "M%03d" % i, "from": "2025-11-01T00:00:00+08:00", "start_index_l": 0})
    for n, i in enumerate(STUCK):
        at, index = datetime.datetime(2025, 12, 1), 1000
        daily = 200 + 40 * n
        still = datetime.datetime(2026, 1, 20) + datetime.timedelta(days=n % 5)
        while at < datetime.datetime(2026, 3, 1):
            if at < still:
                index += [0, 0, 0, 1, 5, 2][at.hour // 4] * daily // 32
            readings.append({"serial": "M%03d" % i, "time": at.strftime("%Y-%m-%dT%H:00:00+08:00"), "index_l": index})
            at += datetime.timedelta(hours=1)
    # M200 has seen more water than its size is good for (1 400 h at Q3: 3 500 m3)
    for hour, index in ((10, 3900000), (11, 3900010), (12, 3900030)):
        readings.append({"serial": "M201", "time": "2026-02-28T%02d:00:00+08:00" % hour, "index_l": index})
    load("orgs", [{"org": "CO", "level": "company"}, {"org": "TEAM", "parent": "CO", "level": "team"}])
    load("zones", [{"zone": "Z1"}, {"zone": "Z11", "parent": "Z1"}, {"zone": "Z12", "parent": "Z11"}, {"zone": "Z2"}])
    load("routes", [{"route": "R1", "org": "TEAM"}, {"route": "R2", "org": "CO"}, {"route": "R3"}])
    load("points", list(points.values()))
    load("meters", meters)
    load("fittings", fittings)
    load("readings", readings)
    settle()


# ---- the plain reckoning ----

def day(text):
    return datetime.date.fromisoformat(text) if text else None


def cost_of(dn, change=CHANGE):
    return next(money for size, money in change if size >= dn)


def reckon(lost_m3_month, confidence, use, dn, legal, water=None, change=CHANGE):
    price = (water or WATER)[use]
    rate = 0.05 / 12
    money = lost_m3_month * price
    cost = cost_of(dn, change)
    left = (legal - TODAY).days if legal else None
    months = 36 if left is None or left < 0 else min(36, max(12, math.ceil(left / 30.4375)))
    worth = money * confidence * (1 - (1 + rate) ** -months) / rate
    duty = 0
    if left is not None and left <= HORIZON:
        duty = cost * (1 + rate) ** -(left / 30.4375) if left >= 0 else cost + 500 + 50 * min(24, -left / 30.4375)
    return {"money_month": money, "cost": cost, "benefit": worth + duty - cost, "months": months}


def expected(water=None, change=CHANGE):
    """Every meter that is to be listed, by serial, from the register's and the flags' own answers."""
    flags = {}
    for state in ("open", "confirmed"):
        for f in get("/v1/flags?limit=100000&state=" + state)["rows"]:
            flags.setdefault(f["serial"], []).append(f)
    out = {}
    for m in get("/v1/meters?limit=100000")["rows"]:
        if not m.get("point"):
            continue
        legal, worn = day(m.get("legal_due")), day(m.get("condition_due"))
        blaming = [f for f in flags.get(m["serial"], []) if f["kind"] in ("stuck", "reversed")]
        soon = any(d and (d - TODAY).days <= HORIZON for d in (legal, worn))
        if not blaming and not soon:
            continue
        worst = max(blaming, key=lambda f: f["lost_lpd"]) if blaming else None
        lost = worst["lost_lpd"] * 30 / 1000 if worst else 0
        sure = (1 if worst["state"] == "confirmed" else worst["confidence"]) if worst else 0
        x = reckon(lost, sure, points[m["point"]]["use_class"], m["dn"], legal, water, change)
        x.update(serial=m["serial"], point=m["point"], legal=legal, worn=worn, lost=lost, sure=sure, worst=worst,
                 kinds={f["kind"] for f in flags.get(m["serial"], [])}, dn=m["dn"], model=m.get("model"))
        out[m["serial"]] = x
    return out


def close(a, b, by=0.0021):
    return abs(a - b) <= by + 1e-9 * abs(b)


def check(rows, want):
    assert len(rows) == len(want), (len(rows), len(want), set(want) ^ {r["serial"] for r in rows})
    for n, r in enumerate(rows):
        x = want[r["serial"]]
        assert r["rank"] == n + 1, r
        for mine, theirs in (("benefit", "benefit"), ("money_month", "money_month"), ("lost", "loss_m3_month"), ("cost", "cost")):
            assert close(r[theirs], x[mine]), (theirs, r, x)
        assert r["confidence"] == x["sure"] and r["loss_months"] == x["months"], (r, x)
        assert day(r["legal_due"]) == x["legal"] and day(r["condition_due"]) == x["worn"], (r, x)
        assert day(r["due_on"]) == min((d for d in (x["legal"], x["worn"]) if d), default=None), (r, x)
        assert set(r["kinds"]) == x["kinds"] and r["dn"] == x["dn"] and r.get("model") == x["model"], (r, x)
        assert r["point"] == x["point"] and r["address"] == points[x["point"]]["address"], r
        if n:
            assert rows[n - 1]["benefit"] >= r["benefit"], (rows[n - 1], r)


# ---- claims ----

def t_every_candidate_is_listed_with_its_benefit_by_the_formula():
    want = expected()
    assert len(want) > 90 and sum(1 for x in want.values() if x["worst"]) >= 15, len(want)
    check(listed(), want)


def t_reasons_have_numbers_that_a_person_can_check():
    rows = {r["serial"]: r for r in listed()}
    loser = next(r for r in rows.values() if "stuck" in r["kinds"])
    codes = {p["code"]: p for p in loser["reasons"]}
    assert {"stuck", "loss", "cost"} <= set(codes), codes
    loss = codes["loss"]
    assert close(loss["money_month"], loss["m3_month"] * loss["price_m3"], 0.01) and loss["price_m3"] == WATER[loser["use_class"]], loss
    assert codes["stuck"]["flag"] == loser["flag"] and codes["stuck"]["onset"] == loser["onset"]
    assert loser["reason"] == codes["stuck"]["text_en"] and loser["reason_zh"] == codes["stuck"]["text_zh"]
    over = next(r for r in rows.values() if r["legal_due"] and not r["flag"] and day(r["legal_due"]) < TODAY)
    assert over["reason"] == "Legal until %s, %d days over." % (over["legal_due"], (TODAY - day(over["legal_due"])).days), over
    assert "检定有效期至" in over["reason_zh"]
    for r in rows.values():
        assert all(p["text_en"] and p["text_zh"] for p in r["reasons"]), r


def t_what_its_condition_says_brings_a_meter_onto_the_list():
    rows = {r["serial"]: r for r in listed()}
    worn = rows["M201"]
    assert worn["condition_basis"] == "throughput" and day(worn["condition_due"]) <= TODAY, worn
    part = next(p for p in worn["reasons"] if p["code"] == "condition")
    assert part["volume_l"] >= 3900000 and part["limit_l"] == 3500000, part
    clean = [s for s in ("M%03d" % i for i in range(N)) if s not in rows][:2]
    post("/v1/meters/%s/events" % clean[0], {"event": "inspect", "at": "2026-02-20T10:00:00+08:00", "result": "fail"})
    post("/v1/meters/%s/events" % clean[1], {"event": "fault", "at": "2026-02-25T10:00:00+08:00", "note": "glass broken"})
    settle()
    rows = {r["serial"]: r for r in listed()}
    assert rows[clean[0]]["condition_basis"] == "lab" and rows[clean[0]]["due_on"] == "2026-02-20", rows[clean[0]]
    assert rows[clean[1]]["condition_basis"] == "fault" and rows[clean[1]]["condition_due"] == "2026-02-25", rows[clean[1]]
    post("/v1/meters/%s/events" % clean[0], {"event": "inspect", "at": "2026-02-21T10:00:00+08:00", "result": "pass"})
    post("/v1/meters/%s/events" % clean[1], {"event": "resume", "at": "2026-02-26T10:00:00+08:00", "note": "new glass"})
    settle()
    assert not {r["serial"] for r in listed()} & set(clean)
    check(listed(), expected())


def t_pages_join_to_the_whole_list():
    whole = listed()
    for size in (1, 7, 50):
        got, after = [], ""
        while True:
            page = get("/v1/replacements?limit=%d%s" % (size, after))
            got += page["rows"]
            if not page["next"]:
                break
            after = "&after=" + page["next"]
        assert got == whole, size
    # A page goes on behind its row also when that row has left the list.
    page = get("/v1/replacements?limit=5")
    gone = page["rows"][-1]["serial"]
    post("/v1/meters/%s/events" % gone, {"event": "remove", "at": "2026-03-01T11:30:00+08:00", "index_l": 99000, "note": "checked", "overrule": True})
    rest = get("/v1/replacements?limit=1000&after=" + page["next"])["rows"]
    assert [r["serial"] for r in rest] == [r["serial"] for r in whole[5:]]
    assert [r["rank"] for r in rest] == [r["rank"] for r in whole[5:]]
    assert gone not in [r["serial"] for r in listed()]


def t_filters_choose_by_zone_with_those_below_route_size_model_kind_and_benefit():
    whole = listed()

    def same(query, keep):
        want = [r["serial"] for r in whole if keep(r)]
        rows = listed(query)
        assert want and [r["serial"] for r in rows] == want, (query, want[:5], [r["serial"] for r in rows][:5])
        assert [r["rank"] for r in rows] == list(range(1, len(want) + 1)), query
    same("?zone=Z1", lambda r: r.get("zone") in ("Z1", "Z11", "Z12"))
    same("?zone=Z11", lambda r: r.get("zone") in ("Z11", "Z12"))
    same("?route=R2", lambda r: r["route"] == "R2")
    same("?dn=40", lambda r: r["dn"] == 40)
    same("?model=LXS-15B", lambda r: r["model"] == "LXS-15B")
    same("?kind=stuck", lambda r: "stuck" in r["kinds"])
    same("?kind=overdue&zone=Z2", lambda r: "overdue" in r["kinds"] and r.get("zone") == "Z2")
    same("?min_benefit=600.5", lambda r: r["benefit"] >= 600.5)
    assert listed("?kind=battery") == [] and listed("?model=NOBODYS") == []
    for query, field, status in (("?zone=NOPE", "zone", 404), ("?route=NOPE", "route", 404), ("?kind=nonsense", "kind", 422),
                                 ("?min_benefit=much", "min_benefit", 422), ("?dn=0", "dn", 422), ("?limit=0", "limit", 422)):
        assert get("/v1/replacements" + query, status)["field"] == field, query


def t_csv_and_ndjson_have_every_row():
    whole = listed()
    _, text, headers = call("GET", "/v1/replacements", accept="text/csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["serial"] for r in rows] == [r["serial"] for r in whole]
    assert json.loads(rows[0]["reasons"]) == whole[0]["reasons"]
    _, text, _ = call("GET", "/v1/replacements", accept="application/x-ndjson")
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1] == {"end": True, "rows": len(whole)} and lines[:-1] == whole


def t_a_unit_sees_its_own_routes_and_budgets_them():
    token = post("/v1/tokens", {"role": "crew", "name": "team", "org": "TEAM"})["token"]
    whole = listed()
    own = [r["serial"] for r in whole if r["route"] == "R1"]
    rows = listed(token=token)
    assert own and [r["serial"] for r in rows] == own
    assert [r["rank"] for r in rows] == list(range(1, len(own) + 1))
    assert get("/v1/replacements/budget?changes=10", token=token)["candidates"] == len(own)
    get("/v1/replacements?route=R2", 403, token=token)


def t_a_confirmed_flag_is_sure_at_once():
    unsure = next(r for r in listed("?kind=stuck") if r["confidence"] < 1)
    post("/v1/flags/" + unsure["flag"], {"state": "confirmed", "note": "seen"})
    now = next(r for r in listed() if r["serial"] == unsure["serial"])
    assert now["confidence"] == 1 and now["benefit"] > unsure["benefit"], (unsure, now)
    assert now["condition_basis"] == "alarm" and now["condition_due"], now
    check(listed(), expected())


def t_a_budget_is_what_its_changes_bring():
    rows = listed()
    want = expected()
    pay = [r for r in rows if r["benefit"] > 0]
    for changes in (1, 10, 40, 100000):
        b = get("/v1/replacements/budget?changes=%d" % changes)
        taken = pay[:changes]
        assert b["candidates"] == len(rows) and b["changes"] == len(taken), b
        over = [r for r in taken if r["legal_due"] and day(r["legal_due"]) < TODAY]
        soon = [r for r in taken if r["legal_due"] and 0 <= (day(r["legal_due"]) - TODAY).days <= HORIZON]
        assert (b["overdue_cleared"], b["due_met"]) == (len(over), len(soon)), b
        for name, value in (("money", lambda r: r["cost"]), ("benefit", lambda r: r["benefit"]),
                            ("m3_month", lambda r: want[r["serial"]]["lost"] * r["confidence"]),
                            ("money_month", lambda r: r["money_month"] * r["confidence"])):
            assert close(b[name], sum(map(value, taken)), 0.002 * (len(taken) + 1)), (name, b, sum(map(value, taken)))
        left = b["left"]
        assert left["paying"] == len(pay) - len(taken) and left["not_paying"] == len(rows) - len(pay), left
        last = b["curve"][-1]
        assert last["changes"] == len(pay) and close(last["last_benefit"], pay[-1]["benefit"]), last
        assert sum(z["changes"] for z in b["zones"]) == len(taken)
        zones = [z["zone"] or "" for z in b["zones"]]
        assert zones == sorted(zones), zones
        for z in b["zones"]:
            own = [r for r in taken if r.get("zone") == z["zone"]]
            assert len(own) == z["changes"] and close(sum(r["cost"] for r in own), z["money"]), z
    part = get("/v1/replacements/budget?changes=5&zone=Z2")
    assert [z["zone"] for z in part["zones"]] == ["Z2"] and part["changes"] == 5


def t_a_budget_of_money_takes_by_benefit_per_cost_and_never_spends_more():
    pay = [r for r in listed() if r["benefit"] > 0]
    dense = sorted(pay, key=lambda r: -r["benefit"] / r["cost"])
    for money in (100, 180, 1000, 7777.5, 10000000):
        left, taken = money, []
        for r in dense:
            if r["cost"] <= left:
                left -= r["cost"]
                taken.append(r)
        b = get("/v1/replacements/budget?money=%s" % money)
        assert b["money"] <= money and b["changes"] == len(taken), (money, b["changes"], len(taken))
        assert close(b["benefit"], sum(r["benefit"] for r in taken), 0.002 * (len(taken) + 1)), (money, b)
    for query, field in (("", "changes"), ("?changes=5&money=9", "money"), ("?changes=0", "changes"), ("?money=-3", "money"),
                         ("?money=x", "money"), ("?money=99999999999999999999", "money")):
        assert get("/v1/replacements/budget" + query, 422)["field"] == field, query


def t_a_price_changes_the_ranking_at_once():
    before = [r["serial"] for r in listed()]
    post("/v1/prices", {"item": "water", "of": "residential", "money": 90, "source": "test"})
    post("/v1/prices", {"item": "change", "of": "15", "money": 333.5, "source": "test"})
    water = dict(WATER, residential=90.0)
    change = [(15, 333.5)] + CHANGE[1:]
    rows = listed()
    check(rows, expected(water, change))
    assert [r["serial"] for r in rows] != before
    assert any(r["cost"] == 333.5 for r in rows)


def t_nilo_shows_both():
    def nilo(*words):
        r = subprocess.run(["nilo", *words], capture_output=True, text=True, env=dict(os.environ, LC_ALL="C.UTF-8"))
        return r.returncode, r.stdout, r.stderr
    first = listed("?limit=1")[0]
    code, out, err = nilo("replacement", "list", "--limit", "3", "--dn", str(first["dn"]), "--format", "table")
    lines = out.splitlines()
    assert code == 0 and lines[0].split()[:2] == ["rank", "serial"] and "benefit" in lines[0] and len(lines) == 4, (out, err)
    assert lines[1].split()[1] == first["serial"], out
    code, out, err = nilo("replacement", "budget", "--changes", "10", "--format", "table")
    assert code == 0 and "last_benefit" in out and "overdue_cleared" in out and "Z11" in out, (out, err)
    code, out, _ = nilo("replacement", "budget", "--money", "1000", "--format", "json")
    assert code == 0 and json.loads(out)["money"] <= 1000, out
    code, _, err = nilo("replacement", "budget")
    assert code == 1 and "changes" in err, err


def t_flags_by_date_come_in_pages_by_onset_then_serial():
    gone = get("/v1/flags?kind=overdue&limit=4")["rows"][3]["serial"]
    post("/v1/meters/%s/events" % gone, {"event": "remove", "at": "2026-03-01T11:45:00+08:00", "index_l": 99000, "note": "checked", "overrule": True})
    settle()
    whole = get("/v1/flags?kind=overdue&limit=100000")["rows"]
    assert len(whole) > 50
    assert [(f["onset"], f["serial"]) for f in whole] == sorted((f["onset"], f["serial"]) for f in whole)
    every = [f for f in get("/v1/flags?limit=100000")["rows"] if f["kind"] == "overdue"]
    assert sorted(f["id"] for f in every) == sorted(f["id"] for f in whole)
    got, after = [], ""
    while True:
        page = get("/v1/flags?kind=overdue&limit=9" + after)
        got += page["rows"]
        if not page["next"]:
            break
        after = "&after=" + page["next"]
    assert got == whole
    opened = get("/v1/flags?kind=overdue&state=open&limit=100000")["rows"]
    assert opened == [f for f in whole if f["state"] == "open"] and len(opened) < len(whole)
    one = get("/v1/flags?kind=overdue&serial=" + whole[3]["serial"])["rows"]
    assert one == [whole[3]]
    assert get("/v1/flags?kind=overdue&point=" + whole[3]["point"])["rows"] == one


def t_flags_are_found_by_what_people_said_and_by_their_point():
    def pages(query):
        got, after = [], ""
        while True:
            page = get("/v1/flags?limit=2%s%s" % (query, after))
            got += page["rows"]
            if not page["next"]:
                return got
            after = "&after=" + page["next"]
    dates = get("/v1/flags?kind=overdue&state=open&limit=100000")["rows"]
    for n, state in ((5, "dismissed"), (2, "dismissed"), (9, "confirmed"), (7, "dismissed")):
        post("/v1/flags/" + dates[n]["id"], {"state": state, "note": "a paper was found"})
    every = get("/v1/flags?limit=100000")["rows"]
    for state in ("confirmed", "dismissed", "open", "cleared"):
        want = [f for f in every if f["state"] == state]
        assert want or state == "cleared", state
        assert pages("&state=" + state) == want, state
        for kind in ("stuck", "leak"):
            assert pages("&kind=%s&state=%s" % (kind, state)) == [f for f in want if f["kind"] == kind], (kind, state)
        dated = sorted((f for f in want if f["kind"] == "overdue"), key=lambda f: (f["onset"], f["serial"]))
        assert pages("&kind=overdue&state=" + state) == dated, state
    # An exchange: both meters' flags are the point's.
    stuck = next(f for f in every if f["kind"] == "stuck" and f["state"] == "open")
    load("meters", [{"serial": "A-NEW", "dn": 15, "q3": "2.5", "verified_on": "2019-12-01"}])
    post("/v1/meters/%s/events" % stuck["serial"], {"event": "remove", "at": "2026-03-01T11:50:00+08:00", "index_l": 99000, "note": "x", "overrule": True})
    load("fittings", [{"point": stuck["point"], "serial": "A-NEW", "from": "2026-03-01T11:55:00+08:00", "start_index_l": 0}])
    settle()
    every = get("/v1/flags?limit=100000")["rows"]
    want = [f for f in every if f["point"] == stuck["point"]]
    assert {f["serial"] for f in want} == {stuck["serial"], "A-NEW"}, want
    assert pages("&point=" + stuck["point"]) == want
    assert pages("&point=%s&kind=stuck" % stuck["point"]) == [f for f in want if f["kind"] == "stuck"]


def t_whatever_happens_the_list_is_that_of_now():
    """Acts by the dice, the clock and prices: after each the list is reckoned plainly again, and pages of it join."""
    global TODAY
    seed = int(os.environ.get("SEED") or os.environ.get("NILO_SEED") or random.randrange(10 ** 9))
    dice = random.Random(seed)
    at = datetime.datetime(2026, 3, 1, 12, 0)
    water, change, new = dict(WATER, residential=90.0), [(15, 333.5)] + CHANGE[1:], 0
    leaving = set()  # removed at an instant that is still to come: nothing else may befall them before

    def z(t):
        return t.strftime("%Y-%m-%dT%H:%M:%S+08:00")
    for step in range(50):
        fitted = {m["serial"]: m for m in get("/v1/meters?limit=100000")["rows"] if m.get("point") and m["serial"] not in leaving}
        judged = dice.randrange(2)
        for _ in range(dice.randrange(1, 4)):
            serial = dice.choice(sorted(fitted))
            m = fitted.pop(serial)
            what = dice.choice(("exchange", "remove", "inspect", "use", "zone", "life", "flag", "ahead"))
            if what == "exchange":
                new += 1
                verified = TODAY - datetime.timedelta(days=10)
                post("/v1/meters", {"serial": "N%03d" % new, "dn": m["dn"], "q3": m["q3"], "model": m.get("model", ""), "verified_on": str(verified),
                                    "life_months": dice.choice((2, 3, 4, 40))})
                post("/v1/exchanges", {"point": m["point"], "at": z(at), "old_serial": serial, "old_index_l": 99000, "new_serial": "N%03d" % new,
                                       "new_index_l": 0, "reason": "dice", "overrule": True, "note": "dice"})
            elif what == "remove":
                post("/v1/meters/%s/events" % serial, {"event": "remove", "at": z(at), "index_l": 99000, "note": "dice", "overrule": True})
            elif what == "inspect":
                post("/v1/meters/%s/events" % serial, {"event": "inspect", "at": z(at), "result": dice.choice(("pass", "fail"))})
                judged = True  # a date by condition needs the judge
            elif what == "use":
                points[m["point"]]["use_class"] = dice.choice(sorted(WATER))
                post("/v1/points", {"point": m["point"], "use_class": points[m["point"]]["use_class"]})
            elif what == "zone":
                points[m["point"]]["zone"] = dice.choice(("Z1", "Z11", "Z2"))
                post("/v1/points", {"point": m["point"], "zone": points[m["point"]]["zone"]})
            elif what == "life":
                post("/v1/meters/" + serial, {"life_months": dice.randrange(6, 80)})
            elif what == "flag":
                flags = [f for f in get("/v1/flags?limit=100000&serial=" + serial)["rows"] if f["state"] in ("open", "confirmed", "dismissed")]
                if flags:
                    post("/v1/flags/" + dice.choice(flags)["id"], {"state": dice.choice(("confirmed", "dismissed")), "note": "dice"})
            else:
                post("/v1/meters/%s/events" % serial, {"event": "remove", "at": z(at + datetime.timedelta(minutes=9)), "index_l": 99000, "note": "dice",
                                                       "overrule": True})
                leaving.add(serial)
        at += datetime.timedelta(minutes=dice.choice((1, 20, 60 * 24, 60 * 24 * 11)) if step % 3 == 2 else 10)
        TODAY = at.date()
        post("/v1/clock", {"now": z(at)})
        if step % 7 == 6:
            water["commercial"] = float(dice.randrange(1, 60))
            post("/v1/prices", {"item": "water", "of": "commercial", "money": water["commercial"], "source": "dice"})
        if judged:
            settle()
        try:
            rows, want = listed("?limit=100000"), expected(water, change)
            check(rows, want)
            zones = {r["serial"] for r in listed("?limit=100000&zone=Z11")}
            assert zones == {s for s, x in want.items() if points[x["point"]]["zone"] in ("Z11", "Z12")}, zones
            page = get("/v1/replacements?limit=%d" % dice.randrange(1, len(rows)))
            rest = listed("?limit=100000&after=" + page["next"]) if page["next"] else []
            assert page["rows"] + rest == rows, [(a, b) for a, b in zip(page["rows"] + rest, rows) if a != b][:2]
        except AssertionError as e:
            raise AssertionError("SEED=%d, step %d: %s" % (seed, step, e)) from e


def t_flags_by_date_are_those_of_a_point_a_state_and_since_an_instant():
    def whole(query):
        rows, after = [], ""
        while True:
            page = get("/v1/flags?limit=3%s%s" % (query, after))
            rows += page["rows"]
            if not page["next"]:
                return rows
            after = "&after=" + page["next"]
    settle()
    every = get("/v1/flags?limit=100000")["rows"]
    dated = sorted((f for f in every if f["kind"] == "overdue"), key=lambda f: (f["onset"], f["serial"]))
    two = max({f["point"] for f in dated}, key=lambda p: sum(f["point"] == p for f in dated))
    assert whole("&kind=overdue&point=" + two) == [f for f in dated if f["point"] == two]
    assert whole("&kind=overdue&state=open&point=" + two) == [f for f in dated if f["point"] == two and f["state"] == "open"]
    told = sorted({f["raised_at"] for f in dated})
    assert len(told) > 1, told
    for since in (told[0], told[1], told[-1], "2026-03-01T23:00:00Z"):
        assert whole("&kind=overdue&since=" + since) == [f for f in dated if f["raised_at"] >= since], since
        assert whole("&kind=overdue&state=cleared&since=" + since) == [f for f in dated if f["raised_at"] >= since and f["state"] == "cleared"], since
    for state in ("open", "cleared", "confirmed", "dismissed"):
        assert whole("&kind=overdue&state=" + state) == [f for f in dated if f["state"] == state], state


build()
for name, claim in [(n, f) for n, f in list(globals().items()) if n.startswith("t_")]:
    try:
        claim()
        print("ok    " + name[2:])
    except AssertionError as e:
        print("FAIL  %s\n      %s" % (name[2:], str(e)[:2000]))
        import traceback
        traceback.print_exc()
        sys.exit(1)
