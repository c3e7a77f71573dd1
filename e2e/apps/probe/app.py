"""The web process of the end-to-end tests' app: answers its version, and tells about its surroundings."""

import json
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

with open("VERSION", "rb") as file:
    VERSION = file.read()


def connect(address):
    """What comes back from host:port when it is asked for a page; an empty text when nothing does."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.settimeout(2)
            connection.sendall(b"GET / HTTP/1.0\r\nHost: " + host.encode() + b"\r\n\r\n")
            heard = b""
            while len(heard) < 4096 and (piece := connection.recv(4096)):
                heard += piece
            return heard.decode("latin-1")
    except OSError:
        return ""


class Probe(BaseHTTPRequestHandler):
    """One path a question."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answers the question."""
        url = urlsplit(self.path)
        arguments = parse_qs(url.query)
        question = getattr(self, "ask_" + url.path.strip("/"), None) if url.path != "/" else self.version
        if question is None:
            self.answer(b"no such question\n", 404)
        else:
            question(arguments)

    def version(self, _):
        """The content of VERSION."""
        self.answer(VERSION)

    def ask_env(self, arguments):
        """A variable of the environment, byte by byte."""
        value = os.environb.get(arguments["name"][0].encode())
        self.answer(value or b"", 200 if value is not None else 404)

    def ask_connect(self, arguments):
        """What each of the addresses given as `to` sends."""
        with ThreadPoolExecutor(32) as pool:
            heard = dict(zip(arguments["to"], pool.map(connect, arguments["to"])))
        self.answer(json.dumps(heard).encode())

    def ask_slow(self, arguments):
        """The version, after `ms` milliseconds."""
        time.sleep(int(arguments["ms"][0]) / 1000)
        self.answer(VERSION)

    def ask_crash(self, _):
        """Ends the process."""
        os._exit(3)

    def answer(self, body, status=200):
        """Sends a response."""
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """One line a request, on standard output."""
        print(format % arguments, flush=True)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer.request_queue_size = 256
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Probe).serve_forever()
