"""The schema's revisions, for Alembic: how it runs them in env.py, and one a file in versions/."""
