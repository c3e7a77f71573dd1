"""Writes numbered lines at a steady rate when it is asked to: GET /?rate=1000&seconds=10."""

import http.server
import os
import sys
import threading
import time
import urllib.parse

READY = b"Ready to write.\n"


def write(rate, seconds):
    """Each line holds its number and the time at which it was written, in nanoseconds since 1970."""
    count, written, began = rate * seconds, 0, time.monotonic()
    while written < count:
        due = min(count, int((time.monotonic() - began) * rate))
        if due == written:
            time.sleep(0.0005)
            continue
        now = time.time_ns()
        sys.stdout.write("".join(f"line {n} {now} level=info msg=\"order was taken\"\n" for n in range(written, due)))
        sys.stdout.flush()
        written = due


class Asked(http.server.BaseHTTPRequestHandler):
    """Begins to write, and answers at once."""

    def do_GET(self):
        """Without a rate only says that it is there."""
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if "rate" in asked:
            rate, seconds = int(asked["rate"][0]), int(asked["seconds"][0])
            threading.Thread(target=write, args=(rate, seconds), daemon=True).start()
        self.send_response(200)
        self.send_header("Content-Length", str(len(READY)))
        self.end_headers()
        self.wfile.write(READY)

    def log_message(self, *_):
        """Its own requests are not among the lines."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Asked).serve_forever()
