"""Class names of detection models."""

import ast
from collections.abc import Iterable

from onnxruntime import InferenceSession

from oxlo.wire.decode import invalid

#: The 80 classes of the COCO dataset, in its order.
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


class Labels:
    """The class names of one model, by number."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._numbers = {_normalized(name): number for number, name in enumerate(names)}

    def name(self, number: int) -> str:
        """The name of a class."""
        return self.names[number] if number < len(self.names) else str(number)

    def numbers(self, wanted: Iterable[str]) -> frozenset[int]:
        """Look up classes by name or number. Raises BadRequest."""
        return frozenset(map(self._number, wanted))

    def _number(self, wanted: str) -> int:
        if wanted.isdecimal() and int(wanted) < len(self.names):
            return int(wanted)
        number = self._numbers.get(_normalized(wanted))
        if number is None:
            known = ", ".join(self.names)
            raise invalid("classes", f"{wanted[:100]!r} is not a class of this model: {known}.")
        return number


def embedded(session: InferenceSession) -> tuple[str, ...]:
    """Names in the model's metadata, where YOLO exporters put a Python dictionary as text."""
    text = session.get_modelmeta().custom_metadata_map.get("names", "")
    try:
        names = ast.literal_eval(text) if text else {}
    except (ValueError, SyntaxError):
        return ()
    if not isinstance(names, dict) or sorted(names) != list(range(len(names))):
        return ()
    return tuple(str(names[number]) for number in range(len(names)))


def _normalized(name: str) -> str:
    return name.strip().lower().replace("_", " ")
