"""The base of stream translators: splits reads into events, notices errors and the end."""

from oxlo.engines.dialect import Translator
from oxlo.engines.dialects.events import DONE, END, Cutter, payload_of
from oxlo.engines.dialects.template import EventTemplate
from oxlo.errors import ApiError, EngineFailed


class Stream(Translator):
    """Translates an engine's stream event by event."""

    __slots__ = ("_cutter", "_template")

    def __init__(self) -> None:
        super().__init__()
        self._cutter = Cutter()
        self._template = EventTemplate()

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        if self.error is not None or self.done:
            return b""
        if not self._cutter.held and data.endswith(END):
            shown = self._template.apply(data, len(data) - len(END))
            if shown is not None:
                self.pieces += 1
                return shown
        out: list[bytes] = []
        try:
            self._read(data, out)
        except ApiError as error:
            self.error = error
        return b"".join(out)

    def _read(self, data: bytes, out: list[bytes]) -> None:
        """Translate each complete event, adding to `out`. Raises ApiError."""
        for event in self._cutter.cut(data):
            shown = self._template.apply(event, len(event))
            if shown is None:
                payload = payload_of(event)
                if payload == DONE:
                    self._end()
                    return
                shown = self._event(payload) if payload else b""
            else:
                self.pieces += 1
            out.append(shown)

    def _end(self) -> None:
        if not self.started:
            raise EngineFailed
        self.done = True

    def _event(self, payload: bytes) -> bytes:
        """Translate one event. Raises ApiError."""
        raise NotImplementedError
