"""What a statement costs SQLite, counted and not timed."""


class Steps:
    """
    Counts what SQLite does while a block lasts: its statements, and the steps of its machine.

    :param transaction: what gives the connection that is looked at, ``read`` or ``write`` of the database.
    """

    def __init__(self, transaction):
        self.statements, self.steps = [], 0
        with transaction() as db:
            self._driver = db.connection.driver_connection  # which the pool gives to the next as well

    def __enter__(self):
        self._driver.set_trace_callback(self.statements.append)
        self._driver.set_progress_handler(self._count, 1)
        return self

    def __exit__(self, *exception):
        self._driver.set_trace_callback(None)
        self._driver.set_progress_handler(None, 1)

    def _count(self):
        self.steps += 1
