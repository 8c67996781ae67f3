"""An upload that stops until a test has done something else."""

import threading

from wire import multipart


class HalfUpload:
    """
    An upload by a form, in a thread of its own.  It is made once all of its content but the end has been sent.

    :param left: how many bytes of the form are not sent before :meth:`finish`.
    """

    def __init__(self, account, bucket, content, left=300):
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._form, self._left, self._answer = multipart(content), left, None
        token = account.token(bucket)

        def send():
            self._answer = account.nobody.put(f"/buckets/{bucket}/files", self._body(), token, len(content))

        self._thread = threading.Thread(target=send)
        self._thread.start()
        assert self._begun.wait(30)

    def finish(self):
        """Send the rest, and return the answer."""
        self._go_on.set()
        self._thread.join(30)
        return self._answer

    def _body(self):
        yield self._form[:-self._left]
        self._begun.set()
        self._go_on.wait(60)
        yield self._form[-self._left:]
