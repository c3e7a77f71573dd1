"""The worker process: says every few seconds that it is at work, until it is told to stop."""

import os
import signal
import threading

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())

turn = 0
while not stopping.wait(0 if turn == 0 else 5):
    turn += 1
    print(f"{os.environ.get('DYNO', 'worker')}: turn {turn}", flush=True)
print("worker: stopped", flush=True)
