"""A listener that does not read beside one that does: GET /v1/live over real sockets.

  slow_reader.py SERVER TOKEN-FILE

Imports change points of route R1 until far more happened than the server keeps for one who comes late (LIVE_KEPT), than waits for one connection (LIVE_ROOM), and than the sockets between take: 33 events
an import, in batches smaller than what is kept; the next one waits until the fast listener has heard the last of this.  Then the slow one reads on, until it hears what
happens after it has.  Prints as JSON what each heard: {"told", "fast", "fast_missed", "slow", "slow_missed"}."""
import http.client
import json
import socket
import sys
from urllib.parse import urlparse

WAIT_S = 60
ROWS = 33      # LIVE_ACT_MOST events, and one that counts the rest
IMPORTS = 30   # a batch
BATCHES = 8
SMALL = 2048   # bytes of a receive buffer

server, token = urlparse(sys.argv[1]), open(sys.argv[2], encoding="ascii").read().strip()
auth = {"Authorization": f"Bearer {token}"}


class Listener:
    """What arrived as (event, data); read when asked for, never before."""

    def __init__(self, room):
        connection = http.client.HTTPConnection(server.hostname, server.port)
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.sock.settimeout(WAIT_S)
        connection.sock.connect((server.hostname, server.port))
        connection.request("GET", "/v1/live", headers=auth)
        self.answer, self.text, self.heard = connection.getresponse(), "", []

    def until(self, event, part=""):
        while not (self.heard and self.heard[-1][0] == event and part in self.heard[-1][1]):
            while "\n\n" not in self.text:
                more = self.answer.read1(65536).decode()
                if not more:
                    raise EOFError(f"the end after {self.heard[-1:]}, instead of {event} {part}")
                self.text += more
            block, self.text = self.text.split("\n\n", 1)
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            self.heard.append((lines.get("event", ""), lines.get("data", "")))

    def told(self):
        """Of the rows of imports: each by its point, or what is counted beyond LIVE_ACT_MOST."""
        return sum("/v1/points/L" in data or '"count"' in data for _, data in self.heard)

    def missed(self):
        return sum(event == "missed" for event, _ in self.heard)


def change(connection, points, turn):
    rows = "".join(f"{p},L-{turn},R1\n" for p in points)
    connection.request("POST", "/v1/import/points", "point,account,route\n" + rows, {**auth, "Content-Type": "text/csv"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"points: {answer.status} {text[:200]}")


acts = http.client.HTTPConnection(server.hostname, server.port, timeout=WAIT_S)
many = [f"L{n:02}" for n in range(ROWS)]
change(acts, many, "first")
fast, slow = Listener(1 << 20), Listener(SMALL)
fast.until("begin")
slow.until("begin")
for batch in range(BATCHES):
    for turn in range(IMPORTS):
        change(acts, many, f"{batch}-{turn}")
    change(acts, [f"END{batch}"], "x")
    fast.until("point", f"/v1/points/END{batch}")
slow.until("missed")
change(acts, ["AFTER"], "x")
slow.until("point", "/v1/points/AFTER")
print(json.dumps({"told": BATCHES * IMPORTS * ROWS, "fast": fast.told(), "fast_missed": fast.missed(), "slow": slow.told(), "slow_missed": slow.missed()}))
