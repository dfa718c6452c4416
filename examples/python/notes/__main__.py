"""python3 -m notes: serve, and end at SIGTERM."""

import os
import signal
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

from .app import make_app


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request; the requests in flight are answered before the end."""


def stop(*_):
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
app = make_app(os.environ["DATABASE"], os.environ["TOKEN"], os.environ.get("TITLE", "Notes"))
with make_server("", int(os.environ.get("PORT", "8080")), app, server_class=Server) as server:
    print("listening on", server.server_port)
    server.serve_forever()
