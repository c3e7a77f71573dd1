"""The smallest web app: one greeting, standard library only."""

import os
import signal
import socketserver
import sys


class Hello(socketserver.StreamRequestHandler):
    """Answers every HTTP request with the greeting; keeps connections open as HTTP/1.1 wants."""

    timeout = 60
    body = b"Hello from Skypanel\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
    closing = answer[:-2] + b"Connection: close\r\n\r\n"

    def handle(self):
        """Reads requests until the client or an error ends the connection."""
        try:
            while self.one_request():
                pass
        except OSError:
            pass

    def one_request(self):
        """Answers one request; false when the connection is to end."""
        request = self.rfile.readline(65537)
        if not request:
            return False
        keep_alive = request.rstrip().endswith(b"HTTP/1.1")
        length = 0
        while (line := self.rfile.readline(65537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.lower().partition(b":")
            if name == b"connection" and b"close" in value:
                keep_alive = False
            elif name == b"content-length" and value.strip().isdigit():
                length = int(value)
        self.rfile.read(length)
        answer = self.answer if keep_alive else self.closing
        self.wfile.write(answer if request.startswith(b"HEAD ") else answer + self.body)
        return keep_alive


class Server(socketserver.ThreadingTCPServer):
    """Listens with a long queue, and does not wait for idle connections when it stops."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(("0.0.0.0", int(os.environ.get("PORT", "5000"))), Hello) as server:
        server.serve_forever()
