import io
import os
import tempfile
import unittest
from contextlib import closing

from notes import store
from notes.app import make_app


class App(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.database = os.path.join(folder.name, "notes.db")
        self.app = make_app(self.database, "secret")

    def migrate(self):
        with closing(store.connect(self.database)) as db:
            return store.migrate(db)

    def ask(self, method, path, body=b"", token=""):
        said = []
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": str(len(body)),
                   "HTTP_AUTHORIZATION": f"Bearer {token}", "wsgi.input": io.BytesIO(body)}
        text = b"".join(self.app(environ, lambda status, headers: said.append(status)))
        return int(said[0].split()[0]), text.decode()

    def test_a_migration_bears_to_be_run_twice(self):
        self.assertEqual(self.migrate(), [1, 2])
        self.assertEqual(self.migrate(), [])

    def test_up_only_when_migrated(self):
        self.assertEqual(self.ask("GET", "/up")[0], 503)
        self.migrate()
        self.assertEqual(self.ask("GET", "/up")[0], 200)

    def test_a_note_takes_the_token(self):
        self.migrate()
        self.assertEqual(self.ask("POST", "/", b"milk", "guessed")[0], 401)
        self.assertEqual(self.ask("POST", "/", b"milk", "secret")[0], 201)
        self.assertEqual(self.ask("GET", "/"), (200, "Notes\nmilk\n"))
