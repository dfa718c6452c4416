"""python3 -m notes.migrate: bring the database forward."""

import os
from contextlib import closing

from . import store

if __name__ == "__main__":
    with closing(store.connect(os.environ["DATABASE"])) as db:
        for number in store.migrate(db):
            print("migrated to", number)
        print("the database is at", store.version(db))
