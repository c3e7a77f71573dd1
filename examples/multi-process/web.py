"""The web process: says which process it is. Standard library only."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    """Answers every GET with the process's name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Writes the name."""
        body = f"Hello from multi-process, {os.environ.get('DYNO', 'web')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "5000"))), Page).serve_forever()
