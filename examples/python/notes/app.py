"""The application, as any WSGI server runs it."""

import hmac
from contextlib import closing
from http import HTTPStatus

from . import store

LONGEST = 4096


def make_app(database, token, title="Notes"):
    def app(environ, start_response):
        with closing(store.connect(database)) as db:
            status, text = answer(db, environ)
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode()]

    def answer(db, environ):
        match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
            case "GET", "/up":
                if store.version(db) != len(store.MIGRATIONS):
                    return HTTPStatus.SERVICE_UNAVAILABLE, "the database is not migrated\n"
                return HTTPStatus.OK, "ok\n"
            case "GET", "/":
                return HTTPStatus.OK, "\n".join([title, *store.notes(db)]) + "\n"
            case "POST", "/":
                given = environ.get("HTTP_AUTHORIZATION", "")
                if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                    return HTTPStatus.UNAUTHORIZED, "that takes the token\n"
                length = int(environ.get("CONTENT_LENGTH") or 0)
                if length > LONGEST:
                    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is too long\n"
                store.add(db, environ["wsgi.input"].read(length).decode(errors="replace"))
                return HTTPStatus.CREATED, "noted\n"
            case _:
                return HTTPStatus.NOT_FOUND, "There is no such page.\n"

    return app
