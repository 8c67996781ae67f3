"""The data channel's websocket as uvicorn speaks it, but with limits, and with refusals in JSON."""

import json

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.server import ServerProtocol

from .patient import Patient

MAX_FRAGMENTS = 1000  # of a message; also of empty ones there would be no end
FRAMES = 16 * 1024  # bytes of frames that are parsed at once


class WebSocketProtocol(Patient, WebSocketsSansIOProtocol):
    """The data channel's websocket."""

    _asked = False  # for a shard

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.conn = _Connection(max_size=self.config.ws_max_size, logger=self.logger)

    def data_received(self, data: bytes):
        for start in range(0, len(data), FRAMES):
            if not self.transport.is_closing():
                super().data_received(data[start:start + FRAMES])
        if not self.writable.is_set():  # each ping is answered: who reads no answer may not send on
            self.transport.pause_reading()

    def resume_writing(self):
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def shutdown(self):
        if not self._asked:  # else the shard is sent, and then the channel is closed anyway
            super().shutdown()

    async def send(self, message):
        """Send as uvicorn does, but with *more_body* only a fragment of a message."""
        self.conn.goes_on = message.get("more_body", False)
        await super().send(message)

    def handle_cont(self, event):
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.transport.is_closing():
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG)
            self.handle_parser_exception()

    def send_receive_event_to_app(self):
        self._asked = True
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self.conn.send_close(CloseCode.INVALID_DATA)  # as uvicorn does, but it logs a traceback besides
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()


def _is_text(data):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Connection(ServerProtocol):
    """
    Refuses in JSON what is no handshake, and sends messages in fragments.

    :ivar bool goes_on: whether the bytes that come next are not the last of their message.
    """

    goes_on = False

    def send_binary(self, data, fin=True):
        if self.expect_continuation_frame:
            self.send_continuation(data, not self.goes_on)
        else:
            super().send_binary(data, not self.goes_on)

    def reject(self, status, text: str):
        response = super().reject(status, json.dumps({"error": text.strip()}))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json; charset=utf-8"
        return response
