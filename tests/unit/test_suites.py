"""The adapter between third-party suites and the platform, and their reports."""

from pathlib import Path

from scripts.suites import adapter, fuzz, outcome
from scripts.suites.values import VALUES, adapted

CHAT = VALUES["/chat/completions"]


def test_own_values_stay() -> None:
    """With its own values, a request only gets a model and, by default, a length limit."""
    sent = {"model": "theirs", "logit_bias": {"foo": 0}, "stream_options": {}}
    made = adapted(CHAT, sent, "ours", usable=False)
    assert made == sent | {"model": "ours", "max_completion_tokens": 16}
    assert adapted(CHAT, {"max_tokens": 0}, "ours", usable=False)["max_tokens"] == 0


def test_usable_values() -> None:
    """Invalid values are replaced, conflicting fields are removed, and none are added."""
    sent = {"logit_bias": {"foo": 0}, "max_tokens": 0, "stream_options": {}, "functions": []}
    assert adapted(CHAT, sent, "ours", usable=True) == {
        "model": "ours",
        "logit_bias": {"15": 0},
        "max_tokens": 16,
    }
    assert "stream_options" in adapted(CHAT, sent | {"stream": True}, "ours", usable=True)


def test_forms_come_through() -> None:
    """Forms survive a round trip."""
    parts: list[adapter.Part] = [("model", None, b"m"), ("file", "a.wav", b"\x00\r\n\xff")]
    kind = "multipart/form-data; boundary=adapted-by-the-proxy"
    assert adapter.read_form(adapter.write_form(parts), kind) == parts


def test_reasons_of_fuzzing() -> None:
    """Each failure has the check and the platform's response."""
    printed = """
1. Test Case ID: a1

- ST202 Schema-valid request rejected

    `{"error":{"message":"No.","type":"x"}}`

Network Error

Read timed out
"""
    assert fuzz.reasons(printed) == [
        "Schema-valid request rejected: No.",
        "no answer: Read timed out",
    ]


def test_reports_are_counted(tmp_path: Path) -> None:
    """Failures are counted by their first line, without its varying parts."""
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testcase/><testcase><skipped/></testcase>"
        '<testcase><failure message="at 0x1f&#10;more"/></testcase>'
        '<testcase><error message="at 0x2f"/></testcase></testsuites>'
    )
    found = outcome.read(report, "a", "")
    assert (found.passed, found.failed, found.skipped) == (1, 2, 1)
    assert found.reasons == {"at ...": 2}
