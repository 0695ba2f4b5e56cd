"""Evaluates a served `tiny-sight`: `python -m tiny_sight.measure BASE_URL KEY`.

Prints the accuracy on images with held-out combinations and, as a baseline, the accuracy of the
same answers for other images.
"""

import argparse
import base64
from collections import defaultdict
from collections.abc import Iterable

from numpy.random import Generator, default_rng
from openai import OpenAI

from tiny_scenes.scenes import pick
from tiny_sight import drawing, questions, views
from tiny_sight.questions import Question
from tiny_sight.views import View

#: Seed of the views, different from training.
_SEED = 2026


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base_url", help="of the platform, with /v1")
    parser.add_argument("key")
    parser.add_argument("--model", default="tiny-sight")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--each", type=int, default=3, help="questions about one")
    parser.add_argument("--reworded", action="store_true", help="ask in words that no lesson has")
    parser.add_argument("--wrong", action="store_true", help="print answers that are not right")
    chosen = parser.parse_args()
    random = default_rng(_SEED)
    seen = [views.sample(random, held_back=True) for _ in range(chosen.pictures)]
    asked = [_chosen(view, chosen.each, random) for view in seen]
    with OpenAI(base_url=chosen.base_url, api_key=chosen.key) as client:
        answers = [
            [
                _answer(client, chosen.model, picture, _said(question, chosen.reworded))
                for question in some
            ]
            for view, some in zip(seen, asked, strict=True)
            for picture in [drawing.png(view, pick(random, drawing.SIDES))]
        ]
    if chosen.wrong:
        _tell(seen, asked, answers)
    print(table(asked, answers))


def _chosen(view: View, count: int, random: Generator) -> list[Question]:
    """Choose a number of questions about a view, with all sorts equally likely."""
    known = list(questions.of(view))
    sorts = list(dict.fromkeys(question.sort for question in known))
    wanted = [sorts[number] for number in random.permutation(len(sorts))[:count]]
    return [pick(random, [q for q in known if q.sort == sort]) for sort in wanted]


def _said(question: Question, reworded: bool) -> str:
    return question.reworded if reworded else question.text


def _answer(client: OpenAI, model: str, picture: bytes, text: str) -> str:
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    reply = client.chat.completions.create(
        model=model,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": url}},
                    {"type": "text", "text": text},
                ],
            }
        ],
        max_tokens=60,
        temperature=0,
    )
    return reply.choices[0].message.content or ""


def table(asked: list[list[Question]], answers: list[list[str]]) -> str:
    """Format as Markdown, in per cent, by sort of question, with the baseline."""
    right: dict[str, list[bool]] = defaultdict(list)
    chance: dict[str, list[bool]] = defaultdict(list)
    for number, (some, said) in enumerate(zip(asked, answers, strict=True)):
        for question, answer in zip(some, said, strict=True):
            right[question.sort].append(question.right(answer))
            chance[question.sort] += _elsewhere(question, asked[:number], answers[:number])
    lines = ["| question | asked | right | of another picture |", "|---|--:|--:|--:|"]
    for sort, marks in sorted(right.items()):
        lines.append(f"| {sort} | {len(marks)} | {_percent(marks)} | {_percent(chance[sort])} |")
    return "\n".join(lines)


def _elsewhere(
    question: Question, asked: list[list[Question]], answers: list[list[str]]
) -> Iterable[bool]:
    """Whether the last answer to the same question about another image is correct here."""
    for some, said in zip(reversed(asked), reversed(answers), strict=True):
        for other, answer in zip(some, said, strict=True):
            if other.sort == question.sort:
                return [question.right(answer)]
    return []


def _percent(marks: list[bool]) -> str:
    return f"{100 * sum(marks) / len(marks):.1f}" if marks else ""


def _tell(seen: list[View], asked: list[list[Question]], answers: list[list[str]]) -> None:
    for view, some, said in zip(seen, asked, answers, strict=True):
        for question, answer in zip(some, said, strict=True):
            if not question.right(answer):
                print(view, question.text, answer, sep="\n    ", flush=True)


if __name__ == "__main__":
    main()
