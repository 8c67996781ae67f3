"""Rows a page at a time, so that no transaction lasts as long as who reads them, however many they are."""

PAGE = 100  # rows


def read(db, query, number, after: int):
    """
    Return the rows of a page, in the order of *number*, a column that is above 0.

    :param after: the number that the page comes after.
    :returns: the rows, and the number that the next page comes after, or None if this is the last.
    """
    rows = db.execute(query.where(number > after).order_by(number).limit(PAGE)).mappings().all()
    return rows, rows[-1][number.name] if len(rows) == PAGE else None
