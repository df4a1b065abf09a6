"""WHAT IS TRUE. Rules and records of a study; knows no framework but SQLAlchemy (and Alembic)."""
