"""A Flask app that greets with the words of a config var."""

import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def greet():
    """The greeting: `config:set GREETING=…` changes it."""
    greeting = os.environ.get("GREETING", "Hello")
    return f"{greeting} from python-flask\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/health")
def health():
    """What Skypanel asks before it sends requests here."""
    return {"status": "ok"}
