#!/usr/bin/env python3
"""A receiver of webhooks: takes events, holds their signature against the secret, and prints each new one as a line.

    hook-receiver.py SECRET-FILE [PORT]        the file's first line is what `nilo hook add --secret-file` was given

What to copy from it: verify(); and that an event is known by its id, for it may come twice (at least once is the promise).
A program that does something with events writes the id down together with what it did, before it answers 204.
"""
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OLDEST = 300  # seconds: a request that somebody kept and sends again later is refused


def verify(secret, headers, body, now=None):
    """Whether the request is nilod's. Nilometer-Signature is v1= and the HMAC-SHA256 of the timestamp's text, a full stop and the body's bytes, in hexadecimal."""
    stamp = headers.get("Nilometer-Timestamp", "")
    if not stamp.isdigit() or abs((time.time() if now is None else now) - int(stamp)) > OLDEST:
        return False
    want = "v1=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want.encode(), headers.get("Nilometer-Signature", "").encode("utf-8", "replace"))


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    secret = b""
    known = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not verify(self.secret, self.headers, body):
            self.answer(401)
            return
        event = json.loads(body)
        if event["id"] not in self.known:
            print(json.dumps(event, ensure_ascii=False), flush=True)
            self.known.add(event["id"])
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(print(__doc__))
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        Receiver.secret = file.readline().rstrip(b"\r\n")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) == 3 else 9000), Receiver).serve_forever()
