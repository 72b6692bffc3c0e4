"""A receiver of webhooks that misbehaves on demand: hook_receiver.py EXAMPLE SECRET-FILE PORT-FILE LOG PORT

Prints a line for each event that it takes: `ID KIND CHANGE VERDICT`, VERDICT being `fine` or `forged`; LOG gets each body that it took as a line. What it does is what the path of
the request says:

    /ok               takes it                        /flaky    refuses every third request with 500, and drops every fifth unanswered
    /redirect         302 to /ok                      /slow     answers after two seconds, byte by byte
    /flood            200 and an endless body         /refuse   400 while the file `refuse` stands beside LOG, and takes it otherwise
"""
import importlib.util
import json
import os
import sys
import threading
import time
from http.server import ThreadingHTTPServer

example, secret_file, port_file, log, port = sys.argv[1:]
spec = importlib.util.spec_from_file_location("example", example)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with open(secret_file, "rb") as file:
    module.Receiver.secret = file.readline().rstrip(b"\r\n")
count = 0
lock = threading.Lock()


class Receiver(module.Receiver):
    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock:
            count += 1
            mine = count
        if self.path == "/flaky" and mine % 5 == 0:
            self.close_connection = True
            return
        if self.path == "/flaky" and mine % 3 == 0:
            return self.answer(500)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/ok")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/refuse" and os.path.exists(os.path.join(os.path.dirname(log), "refuse")):
            return self.answer(400)
        event = json.loads(body)
        fine = module.verify(self.secret, self.headers, body) and event["id"] == self.headers["Nilometer-Id"] and event["kind"] == self.headers["Nilometer-Event"]
        with lock:
            with open(log, "ab") as out:
                out.write(body)
            print(event["id"], event["kind"], event["change"], "fine" if fine else "forged", flush=True)
        if self.path == "/flood":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True
            return
        if self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            for byte in (b"d", b"o", b"n", b"e"):
                time.sleep(0.5)
                self.wfile.write(byte)
                self.wfile.flush()
            return
        self.answer(204)


server = ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
print("ready", flush=True)
server.serve_forever()
