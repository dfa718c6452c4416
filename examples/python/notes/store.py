"""The database: its migrations, in order, and the notes in it."""

import sqlite3

MIGRATIONS = [
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    "ALTER TABLE notes ADD COLUMN added TEXT",
]


def connect(path):
    return sqlite3.connect(path, timeout=10)


def version(db):
    return db.execute("PRAGMA user_version").fetchone()[0]


def migrate(db):
    """Bring the database forward, each step whole or not at all; give the steps taken."""
    done = []
    for number, statement in enumerate(MIGRATIONS, start=1):
        if number <= version(db):
            continue
        db.executescript(f"BEGIN; {statement}; PRAGMA user_version = {number}; COMMIT;")
        done.append(number)
    return done


def add(db, text):
    with db:
        db.execute("INSERT INTO notes (text, added) VALUES (?, datetime('now'))", (text,))


def notes(db):
    return [text for (text,) in db.execute("SELECT text FROM notes ORDER BY id")]
