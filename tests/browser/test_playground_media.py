"""The panes of the playground that take and make pictures and sound, with real models."""

import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.browser.test_playground import WAIT, open_pane
from tests.conftest import cache, fetched
from tests.scenario.served import Platform

pytestmark = [pytest.mark.engine, pytest.mark.slow]

MODELS = ("whisper-base", "kokoro-82m", "centernet-mobilenetv3", "tiny-scenes")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that sees, hears, speaks and paints."""
    for model in MODELS:
        fetched(model)
    platform = Platform(tmp_path_factory.mktemp("media") / "home", cache())
    try:
        platform.start(OXLO_MODELS=",".join(MODELS))
        yield platform
    finally:
        platform.close()


#: Remembers each picture that is shown among the results.
WATCH = """() => {
  window.shown = new Set();
  const look = () => document.querySelectorAll("#results img").forEach((i) => shown.add(i.src));
  const results = document.querySelector("#results");
  new MutationObserver(look).observe(results, { childList: true, subtree: true });
}"""


def sent(page: Page) -> str:
    """Send what the pane holds; the result once its receipt is known."""
    page.click("#send")
    page.locator(".result .receipt.known").first.wait_for(timeout=WAIT)
    return page.locator(".result").first.inner_text()


def test_spoken_text_is_heard(page: Page, tmp_path: Path) -> None:
    """What the speech pane makes is text again in the transcription pane."""
    open_pane(page, "/playground?mode=speech")
    page.select_option("#p-response_format", "wav")
    page.fill("#message", "The quick brown fox jumps over the lazy dog.")
    assert "counted" in sent(page)
    with page.expect_download() as download:
        page.get_by_text("Download wav").click()
    spoken = tmp_path / "spoken.wav"
    download.value.save_as(spoken)
    with wave.open(str(spoken)) as recording:
        assert recording.getnchannels() == 1
    open_pane(page, "/playground?mode=transcription")
    page.set_input_files("#file", spoken)
    assert "brown fox" in sent(page).lower()


def run_programs(page: Page, key: str, folder: Path) -> None:
    """Run the programs that are shown for an image, which has to come as a stream."""
    page.click("#show-code")
    shown = page.locator("#code pre:visible")
    python = shown.inner_text().replace("YOUR_API_KEY", key)
    subprocess.run([sys.executable, "-c", python], check=True, cwd=folder)
    assert sorted(file.name for file in folder.iterdir()) == [
        "image.png",
        *(f"preview-{number}.png" for number in range(3)),
    ]
    page.click("text=Node")
    assert "for await (const event of answer)" in shown.inner_text()
    page.click("text=curl")
    shell = shown.inner_text().replace("YOUR_API_KEY", key)
    ran = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert ran.stdout.count("event: image_generation.partial_image") == 3
    page.keyboard.press("Escape")


def test_images_are_made_and_changed(
    page: Page, platform: Platform, coffee: Path, tmp_path: Path
) -> None:
    """From words, shown while it is drawn, as the programs do it; and from a picture and words."""
    open_pane(page, "/playground?mode=images")
    page.evaluate(WATCH)
    page.fill("#message", "a red circle above a blue square")
    sent(page)
    assert page.evaluate("window.shown.size") == 4
    assert page.evaluate("document.querySelector('.images img').naturalWidth") == 64
    run_programs(page, platform.key, tmp_path)
    page.set_input_files("#file", coffee)
    page.fill("#message", "a blue square")
    page.click("#send")
    page.locator(".result .receipt.known").nth(1).wait_for(timeout=WAIT)
    page.click("#show-code")
    shell = page.locator("#code pre:visible").inner_text()
    assert shell.startswith("curl -N http")
    assert "/images/edits" in shell
    assert "-F 'stream=true'" in shell


def test_things_are_boxed(page: Page, coffee: Path) -> None:
    """A cup of coffee is found, and drawn around."""
    open_pane(page, "/playground?mode=detection")
    page.set_input_files("#file", coffee)
    assert "cup" in sent(page)
    assert page.locator("svg.found rect").count() >= 1
