"""Texts: all there, in both languages, and chosen as the caller likes."""

import re
import string
from http import HTTPStatus
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

import protected_api
from protected_api.texts import LANGUAGES, TEXTS, language_of, text

SOURCES = "\n".join(
    path.read_text()
    for path in Path(protected_api.__file__).parent.rglob("*.py")
    if path.name != "texts.py"
)
CALLS = r"Problem\(\d+|_forbidden\(|_unauthorized\(|TokenRefused\(|\btext\("
USED = rf'(?:{CALLS})[^"\n]*"([a-z_.]+)"'


@pytest.mark.parametrize("key", TEXTS)
def test_each_text_is_whole(key: str) -> None:
    """Every language, with the same values to put in, and a caller who uses it."""
    said = TEXTS[key]
    assert set(said) == set(LANGUAGES)
    assert all(said.values())
    fields = [
        {name for _, name, _, _ in string.Formatter().parse(t) if name} for t in said.values()
    ]
    assert all(names == fields[0] for names in fields)
    by_status = key.startswith("title.") or key.upper() in HTTPStatus.__members__
    assert by_status or f'"{key}"' in SOURCES


def test_each_text_that_the_code_asks_for_is_there() -> None:
    """A refusal without words would be an error of its own."""
    used = re.findall(USED, SOURCES)
    assert len(used) > 15
    assert set(used) <= set(TEXTS)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("FR-ca", "fr"),
        ("en, fr", "en"),
        ("fr, en", "fr"),
        ("en;q=0.5, fr;q=0.6", "fr"),
        ("fr;q=0, en", "en"),
        ("fr;q=0", "en"),
        ("de", "en"),
        ("de, *", "en"),
        ("fr;q=loud", "en"),
        ("fr;level=1", "en"),
        ("french", "en"),
        (",;=,", "en"),
    ],
)
def test_the_language_that_is_asked_for(header: str, language: str) -> None:
    """RFC 9110, section 12.5.4; English where nothing fits."""
    headers = [(b"accept-language", header.encode())]
    assert language_of(HTTPConnection({"type": "http", "headers": headers})) == language


def test_values_are_put_in() -> None:
    """Names are said as they are."""
    assert text("hello", "fr", name="Zoé {x}") == "Bonjour Zoé {x}"
