"""Names of what is found."""

import ast
from collections.abc import Iterable

from onnxruntime import InferenceSession

from oxlo.wire.decode import invalid

#: The 80 classes of the COCO data set, in its order.
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip


class Classes:
    """The classes of one model, by number."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._numbers = {_folded(name): number for number, name in enumerate(names)}

    def name(self, number: int) -> str:
        """What a class is called."""
        return self.names[number] if number < len(self.names) else str(number)

    def numbers(self, wanted: Iterable[str]) -> frozenset[int]:
        """The classes that are meant, by name or number. Raises BadRequest."""
        return frozenset(map(self._number, wanted))

    def _number(self, wanted: str) -> int:
        if wanted.isdecimal() and int(wanted) < len(self.names):
            return int(wanted)
        number = self._numbers.get(_folded(wanted))
        if number is None:
            known = ", ".join(self.names)
            raise invalid("classes", f"{wanted[:100]!r} is no class of this model: {known}.")
        return number


def named(session: InferenceSession) -> tuple[str, ...]:
    """The names that exporters of YOLO models write into the file: a dictionary, as Python text."""
    told = session.get_modelmeta().custom_metadata_map.get("names", "")
    try:
        found = ast.literal_eval(told) if told else {}
    except (ValueError, SyntaxError):
        return ()
    if not isinstance(found, dict) or sorted(found) != list(range(len(found))):
        return ()
    return tuple(str(found[number]) for number in range(len(found)))


def _folded(name: str) -> str:
    return name.strip().lower().replace("_", " ")
