"""Lists of any length, of which no more than a page or two are in memory."""

from starlette.responses import Response, StreamingResponse

from ..request.call import JSON


def answer(read, show) -> Response:
    """
    Answer with a list of rows, or refuse as the reading of its first page does.  When that of a later one fails, the
    connection breaks, so that nobody takes for all of the list what he has got.

    :param read: returns the rows of the first page, and what the next comes after, or None; given that, the next.
    :param show: returns what is told of a row.
    """
    text, after = _text(show, *read())
    if after is None:
        return Response(b"[" + text + b"]", media_type=JSON.media_type)
    return StreamingResponse(_texts(text, after, read, show), media_type=JSON.media_type)


def _texts(text, after, read, show):
    yield b"[" + text
    while after is not None:
        text, after = _text(show, *read(after))
        if text:
            yield b"," + text
    yield b"]"


def _text(show, rows, after):
    """Return a page, as what stands between the brackets of a list; its rows take a multiple of that."""
    return JSON([show(row) for row in rows]).body[1:-1], after
