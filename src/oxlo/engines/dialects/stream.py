"""What all translators of streams share: reads become events, errors and the end are noticed."""

from oxlo.engines.dialect import Translator
from oxlo.engines.dialects.events import DONE, END, Cutter, payload_of
from oxlo.engines.dialects.mould import Mould
from oxlo.errors import ApiError, EngineFailed


class Stream(Translator):
    """Turns an engine's stream into OpenAI's, event by event."""

    __slots__ = ("_cutter", "_mould")

    def __init__(self) -> None:
        super().__init__()
        self._cutter = Cutter()
        self._mould = Mould()

    def feed(self, data: bytes) -> bytes:
        """Translate one read."""
        if self.error is not None or self.done:
            return b""
        if not self._cutter.held and data.endswith(END):
            shown = self._mould.cast(data, len(data) - len(END))
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
        """Add what each event becomes to `out`. Raises ApiError."""
        for event in self._cutter.cut(data):
            shown = self._mould.cast(event, len(event))
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
        """What an event becomes for the client. Raises ApiError."""
        raise NotImplementedError
