"""Example programs for models."""

import ast
import itertools
import json
import re
from typing import get_args

import pytest

from oxlo import catalogue, snippets
from oxlo.catalogue import Ability
from oxlo.snippets import CATEGORIES, LANGUAGES, Category, Language, for_abilities, program, render

BASE, KEY, MODEL = "http://127.0.0.1:8000/v1", "sk_x", "some-model"

each_category = pytest.mark.parametrize("category", CATEGORIES)


@each_category
@pytest.mark.parametrize("language", LANGUAGES)
def test_all_three_values_are_filled_in(category: Category, language: Language) -> None:
    """No placeholders are left."""
    text = render(category, language, BASE, KEY, MODEL)
    assert all(value in text for value in (BASE, KEY, MODEL))
    assert not re.search(r"\{(base_url|key|model)\}", text)
    assert text.endswith("\n")
    assert max(map(len, text.splitlines())) <= 100


@each_category
def test_python_parses(category: Category) -> None:
    """The program is valid as shown."""
    ast.parse(render(category, "python", BASE, KEY, MODEL))


@each_category
def test_python_can_be_pasted_into_its_prompt(category: Category) -> None:
    """Up to Python 3.12, a block must be followed by an empty line in the REPL."""
    lines = render(category, "python", BASE, KEY, MODEL).splitlines()
    assert not [b for a, b in itertools.pairwise(lines) if a[:1] == " " and b[:1].isalpha()]


@each_category
def test_curl_sends_json_or_a_form(category: Category) -> None:
    """curl's JSON is valid and has the same fields as the SDKs' requests."""
    text = render(category, "curl", BASE, KEY, MODEL)
    body = re.search(r"-d '(.*?)'|<<JSON\n(.*?)JSON\n", text, re.DOTALL)
    if body is None:
        assert f"-F model={MODEL}" in text
    else:
        assert json.loads((body[1] or body[2]).replace(r"'\n'", ""))["model"] == MODEL


@pytest.mark.parametrize("value", ['a"b', "a'b", "a`id`", "$(id)", "a\nb", "a b", "a\\", "a;b", ""])
def test_values_stay_strings(value: str) -> None:
    """Values that could break out of a string are refused; names with slashes are allowed."""
    render("chat", "curl", BASE, "$OXLO_API_KEY", "meta-llama/Llama-3.2:free@fp8")
    with pytest.raises(ValueError, match="model cannot be put into a program"):
        render("chat", "curl", BASE, KEY, value)


def test_every_model_of_the_catalogue_has_some() -> None:
    """The first program shows the model's main ability."""
    shown = {model.id: for_abilities(model.abilities) for model in catalogue.load()}
    assert all(shown.values())
    assert shown["smollm2-135m"][:2] == ("chat", "streaming")
    assert shown["tiny-scenes"] == ("images",)
    assert shown["whisper-base"] == ("transcription",)


def test_categories_are_abilities() -> None:
    """Each category is an ability that models can have."""
    assert set(for_abilities(get_args(Ability))) == set(snippets.CATEGORIES)


def test_one_program_makes_many_calls() -> None:
    """With one client and sorted imports without duplicates."""
    text = program([(category, f"model-{category}") for category in CATEGORIES], BASE, KEY)
    assert text.startswith("import base64\n\nfrom openai import OpenAI\n\nclient = OpenAI(")
    assert all(text.count(f'"model-{category}"') == 1 for category in CATEGORIES)
    assert text.count("client = ") == 1
    ast.parse(text)
