"""The worker of the end-to-end tests' app: prints numbered lines until it is told to stop."""

import os
import signal
import threading

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
turn = 0
while not stopping.wait(0.2):
    turn += 1
    print(f"{os.environ.get('DYNO')} turn {turn}", flush=True)
