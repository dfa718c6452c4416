"""Notes: a small WSGI application on SQLite."""
