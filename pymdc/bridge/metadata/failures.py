"""What becomes of a transaction that has not succeeded, where that is not what was wrong with it."""

from sqlalchemy.exc import SQLAlchemyError


class Undone(SQLAlchemyError):
    """What was done is not kept, since its transaction was lost.  It may be done again."""


class InDoubt(SQLAlchemyError):
    """Nobody knows whether what was done is kept, or some of it, since its transaction or the commit has failed."""


class Away(SQLAlchemyError):
    """The database cannot be reached, or has no connection left.  Nothing was done."""
