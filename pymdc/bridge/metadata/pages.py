"""Rows a page at a time, so that no transaction lasts as long as who reads them, however many they are."""

from sqlalchemy import bindparam

PAGE = 100  # rows


def paged(query, number):
    """Return the statement for a page of a query, in the order of *number*, a column that is above 0."""
    return query.where(number > bindparam("after")).order_by(number).limit(bindparam("page"))


def read(db, statement, number, after: int, **values):
    """
    Return the rows of a page.

    :param statement: of :func:`paged`, for the same *number*.
    :param after: the number that the page comes after.
    :param values: what the statement asks for besides.
    :returns: the rows, and the number that the next page comes after, or None if this is the last.
    """
    rows = db.execute(statement, {"after": after, "page": PAGE, **values}).mappings().all()
    return rows, rows[-1][number.name] if len(rows) == PAGE else None
