"""How a handler says no."""


class Refusal(Exception):
    """
    Becomes the answer ``{"error": text}``.

    :param status: the HTTP status.
    :param text: what to say, in the words of docs/protocol.
    :param headers: further headers of the answer.
    :ivar page: the answer in place of that to a browser, if there is one.
    """

    page = None

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None):
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers or {}
