"""The playground's chat: pictures, turns that are changed, conversations that are kept, links."""

import base64
import io
import json
import socket
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests import remote
from tests.browser.conftest import assert_accessible, beside, signed_up, upgrade
from tests.browser.test_playground import WAIT, open_pane
from tests.scenario.served import Platform, until
from tests.waiting import PATIENCE

from oxlo.testing.engine import Canned, EngineDouble, Script

pytestmark = pytest.mark.usefixtures("forgotten")


def _picture(kind: str, colour: str) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((160, 120), 64).convert("RGB").save(out, kind)
    Image.new("RGB", (8, 8), colour).save(out, kind)
    return out.getvalue()


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineDouble]:
    """The engine of all models."""
    double = EngineDouble("vllm")
    double.canned["/v1/audio/speech"] = Canned(kind="audio/mpeg", pieces=(b"ID3",))
    double.canned["/v1/audio/transcriptions"] = Canned.json({"text": "Hello."})
    with beside(double):
        yield double


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, engine: EngineDouble) -> Iterator[Platform]:
    """A platform with models that see, read, hear and speak."""
    folder = tmp_path_factory.mktemp("vision")
    platform = Platform(folder / "home", folder)
    remote.write(platform.home, "seer", engine.address, ("chat", "vision"))
    remote.write(platform.home, "reader", engine.address)
    remote.write(platform.home, "hearer", engine.address, ("transcription",))
    remote.write(platform.home, "speaker", engine.address, ("speech",))
    try:
        platform.start(OXLO_STARTER="none")
        yield platform
    finally:
        platform.close()


@pytest.fixture(scope="module")
def page(chromium: Browser, platform: Platform) -> Iterator[Page]:
    """The page of somebody who has signed up, and may send more than five requests a minute."""
    with signed_up(chromium, platform.port) as page:
        upgrade(platform)
        yield page


def _chats(engine: EngineDouble) -> list[dict[str, Any]]:
    """The chats that the engine was asked."""
    asked = [one for one in engine.requests if one.path == "/v1/chat/completions"]
    return [json.loads(one.body) for one in asked]


def _attach(page: Page, **files: bytes) -> None:
    """Choose these pictures, named by their format."""
    kinds = {kind: f"image/{kind}" for kind in files}
    page.set_input_files(
        "#picture",
        [
            {"name": f"photo.{kind}", "mimeType": kinds[kind], "buffer": data}
            for kind, data in files.items()
        ],
    )


def _sent(engine: EngineDouble) -> tuple[list[str], list[bytes]]:
    """The texts and the pictures of the last message that the engine was asked."""
    content = _chats(engine)[-1]["messages"][-1]["content"]
    texts = [part["text"] for part in content if part["type"] == "text"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    return texts, [base64.b64decode(url.partition(",")[2]) for url in urls]


def test_pictures_arrive_as_they_are(page: Page, engine: EngineDouble) -> None:
    """Two files beside a question reach the engine byte for byte, in their order."""
    files = {"png": _picture("PNG", "red"), "jpeg": _picture("JPEG", "blue")}
    open_pane(page, "/playground?model=seer")
    _attach(page, **files)
    expect(page.locator("#pictures img")).to_have_count(2)
    page.fill("#message", "What is the difference?")
    page.click("#send")
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    assert _sent(engine) == (["What is the difference?"], list(files.values()))
    assert page.locator(".turn.user img.sent").count() == 2
    assert page.locator("#pictures img").count() == 0


#: Holds a method's calls back until `release()` is called.
HOLD = """([of, name]) => {
    const owner = of === "window" ? window : window[of].prototype;
    const [method, released] = [owner[name], new Promise((go) => { window.release = go; })];
    owner[name] = function (...given) { return released.then(() => method.apply(this, given)); };
}"""


def test_send_waits_for_pictures(page: Page, engine: EngineDouble) -> None:
    """Pictures that are still being read when the message is sent are sent with it."""
    files = {"png": _picture("PNG", "red"), "jpeg": _picture("JPEG", "blue")}
    open_pane(page, "/playground?model=seer")
    page.evaluate(HOLD, ["FileReader", "readAsDataURL"])
    for kind, data in files.items():
        _attach(page, **{kind: data})
    page.click("#send")
    page.evaluate("release()")
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    assert _sent(engine) == ([], list(files.values()))


def test_next_message_is_kept(page: Page, engine: EngineDouble) -> None:
    """What is prepared while an answer is awaited stays, and is not sent before its turn."""
    before = len(_chats(engine))
    open_pane(page, "/playground?model=seer")
    page.evaluate(HOLD, ["window", "fetch"])
    page.fill("#message", "One.")
    page.click("#send")
    page.locator("#stop").wait_for()
    _attach(page, png=_picture("PNG", "red"))
    page.locator("#pictures img").wait_for()
    page.fill("#message", "Two.")
    page.locator("#message").press("Control+Enter")
    page.locator(".turn.assistant[aria-busy]").wait_for()
    page.evaluate("release()")
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    assert len(_chats(engine)) == before + 1
    assert page.input_value("#message") == "Two."
    assert page.locator("#pictures img").count() == 1


def test_stop_before_there_is_a_key(page: Page) -> None:
    """Stop works while the page still waits for its key; the message is back."""
    open_pane(page, "/playground?model=reader")
    key = page.evaluate(
        """() => {
            const slot = Object.keys(localStorage).find((name) => name.endsWith(":key"));
            const key = [slot, slot && localStorage.getItem(slot)];
            if (slot) localStorage.removeItem(slot);
            return key;
        }"""
    )
    page.evaluate(HOLD, ["window", "fetch"])
    page.fill("#message", "One.")
    page.click("#send")
    page.click("#stop")
    page.wait_for_function("document.querySelector('#message').value === 'One.'")
    page.evaluate("([slot, key]) => { if (slot) localStorage.setItem(slot, key); }", key)


#: Stores a conversation in which the model has called a function.
TOOL_CALLED = """() => {
    const { account } = document.querySelector("#playground").dataset;
    const called = { name: "get_weather", arguments: "{}" };
    const call = { id: "call_1", type: "function", function: called };
    const turns = [
        { role: "user", text: "Is it warm?" },
        { role: "assistant", model: "reader", text: "", reasoning: "", calls: [call] },
    ];
    sessionStorage.setItem(`playground:${account}:chat`, JSON.stringify({ system: "", turns }));
}"""


def test_result_that_was_not_sent(page: Page) -> None:
    """A function's result is still in its field if the server cannot be reached."""
    open_pane(page, "/playground?model=reader")
    page.evaluate(TOOL_CALLED)
    open_pane(page, "/playground?model=reader")
    page.route("**/v1/chat/completions", lambda route: route.abort())
    page.fill(".toolcall textarea", "20 degrees")
    page.get_by_role("button", name="Send result").click()
    page.locator(".fault").wait_for()
    page.unroute("**/v1/chat/completions")
    assert page.input_value(".toolcall textarea") == "20 degrees"


def test_new_conversation_without_system_prompt(page: Page) -> None:
    """A system prompt alone can be cleared too."""
    open_pane(page, "/playground?model=reader")
    page.click(".system summary")
    page.fill("#system", "Be brief.")
    page.click("#clear")
    assert page.input_value("#system") == ""


def test_invalid_parameter_in_code(page: Page) -> None:
    """A program with an invalid parameter is not shown; the page says which one it is."""
    open_pane(page, "/playground?model=reader")
    page.evaluate("document.querySelector('#p-temperature').value = '9'")
    page.click("#show-code")
    fault = page.locator(".fault")
    fault.wait_for()
    assert fault.inner_text().startswith("temperature:")


def test_invalid_parameter_in_other_panes(page: Page) -> None:
    """It is named where the request would be."""
    open_pane(page, "/playground?model=speaker&mode=speech")
    page.fill("#message", "Hello.")
    page.fill("#p-speed", "9")
    page.click("#send")
    expect(page.locator(".fault")).to_contain_text("speed:")


#: The user is asked for the microphone, and hesitates: `allow()` gives it. Counts the questions.
MICROPHONE = """() => {
  const asked = new Promise((go) => { window.allow = go; });
  window.questions = 0;
  navigator.mediaDevices.getUserMedia = async () => {
    window.questions += 1;
    await asked;
    return new AudioContext().createMediaStreamDestination().stream;
  };
}"""


def test_recording_is_started_once(page: Page) -> None:
    """More presses while the microphone is asked for ask for it once; the next one ends it."""
    open_pane(page, "/playground?model=hearer&mode=transcription")
    page.evaluate(MICROPHONE)
    button = page.locator("#record")
    button.dblclick()
    page.evaluate("allow()")
    expect(button).to_have_text("End recording")
    assert page.evaluate("questions") == 1
    button.click()
    page.locator("#heard audio").wait_for()
    expect(button).to_have_text("Record")


def test_pictures_are_taken_out(page: Page, engine: EngineDouble) -> None:
    """Under Vision are the models that see; what is dropped is sent, and what is removed not."""
    open_pane(page, "/playground?mode=vision")
    assert page.locator("#model option").all_inner_texts() == ["seer"]
    data = base64.b64encode(_picture("PNG", "red")).decode()
    page.evaluate(
        """(data) => {
            const carried = new DataTransfer();
            const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
            for (const name of ["a.png", "b.png"]) {
                carried.items.add(new File([bytes], name, { type: "image/png" }));
            }
            const how = { dataTransfer: carried, bubbles: true, cancelable: true };
            document.querySelector("#message").dispatchEvent(new DragEvent("drop", how));
        }""",
        data,
    )
    page.get_by_role("button", name="Take picture 2 out").click()
    assert page.locator("#pictures img").count() == 1
    page.click(".sample >> nth=0")
    page.click("#send")
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    texts, pictures = _sent(engine)
    assert texts == ["What is in this picture?"]
    assert len(pictures) == 1


def test_model_that_only_reads_says_so(page: Page, engine: EngineDouble) -> None:
    """A picture's conversation at a model that only reads: refused in words, nothing is lost."""
    open_pane(page, "/playground?model=seer")
    _attach(page, png=_picture("PNG", "red"))
    _say(page, "What is this?")
    open_pane(page, "/playground?model=reader")
    assert page.locator("#picture").count() == 0
    asked = len(_chats(engine))
    page.fill("#message", "And in words?")
    page.click("#send")
    fault = page.locator(".fault")
    fault.wait_for()
    assert "HTTP 400" in fault.inner_text()
    assert "reader" in fault.inner_text()
    assert "image" in fault.inner_text()
    assert page.input_value("#message") == "And in words?"
    assert len(_chats(engine)) == asked


def test_file_that_is_no_picture(page: Page) -> None:
    """What the platform cannot read as a picture is refused in its words."""
    open_pane(page, "/playground?model=seer")
    _attach(page, png=b"no picture")
    page.fill("#message", "What is this?")
    page.click("#send")
    fault = page.locator(".fault")
    fault.wait_for()
    assert "HTTP 400" in fault.inner_text()


def _say(page: Page, words: str) -> None:
    """Send a message, and wait for the answer's receipt."""
    answers = page.locator(".turn.assistant .receipt.known")
    before = answers.count()
    page.fill("#message", words)
    page.click("#send")
    answers.nth(before).wait_for(timeout=WAIT)


def _cut(listener: socket.socket, shown: Event) -> None:
    """Answer one request with the beginning of a stream; once it is shown, close the connection."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        event = b'data: {"choices":[{"delta":{"content":"Once upon"}}]}\n\n'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_1\r\n"
        chunk = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(event), event)
        connection.sendall(head + chunk)
        shown.wait(PATIENCE)


def test_broken_stream(page: Page) -> None:
    """A server that goes away while it answers: what came stays, and the fault says what to do."""
    open_pane(page, "/playground?model=reader")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        shown = Event()
        Thread(target=_cut, args=(listener, shown), daemon=True).start()
        other = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        page.route("**/v1/chat/completions", lambda route: route.continue_(url=other))
        page.fill("#message", "Tell a story.")
        page.click("#send")
        page.get_by_text("Once upon").wait_for()
        shown.set()
        fault = page.locator(".fault")
        fault.wait_for()
    page.unroute("**/v1/chat/completions")
    assert fault.inner_text() == "The connection ended before the answer was complete. Try again."
    page.locator(".turn.assistant").get_by_role("button", name="Try again").wait_for()
    assert "Once upon" in page.locator(".turn.assistant").inner_text()


#: An answer that stops in its midst.
BEGUN = Script(text="Once upon a time", chunks=1, stall=True)


def _begin(page: Page, engine: EngineDouble) -> None:
    """Ask for such an answer, and wait until its beginning is shown."""
    engine.next.append(BEGUN)
    page.fill("#message", "Tell a story.")
    page.locator("#message").press("Control+Enter")
    page.get_by_text("Once upon").wait_for(timeout=WAIT)


def test_escape_stops(page: Page, engine: EngineDouble) -> None:
    """What had come stays, the count of seconds goes; the receipt tells how the call ended."""
    open_pane(page, "/playground?model=reader")
    _begin(page, engine)
    page.locator("#elapsed", has_text=" s").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("Stopped.").wait_for()
    expect(page.locator("#elapsed")).to_be_empty()
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    assert page.locator("#send").is_enabled()
    assert "Once upon" in page.locator(".turn.assistant").inner_text()


def test_unfinished_answer_is_kept(page: Page, engine: EngineDouble) -> None:
    """It stays in sight when an earlier conversation is deleted, and where the page is left."""
    open_pane(page, "/playground?model=reader")
    _say(page, "One.")
    page.click("#clear")
    _begin(page, engine)
    page.click("#past summary")
    page.get_by_role("button", name="Delete “One.”").click()
    expect(page.locator(".turn[aria-busy]")).to_contain_text("Once upon")
    page.reload()
    page.get_by_text("Stopped.").wait_for()
    assert page.locator(".turn.user .said").inner_text() == "Tell a story."
    assert "Once upon" in page.locator(".turn.assistant").inner_text()


def test_unanswered_message_is_kept(page: Page, engine: EngineDouble) -> None:
    """Whoever leaves before the answer begins finds the message, in its place or to be sent."""
    open_pane(page, "/playground?model=reader")
    engine.next.append(Script(silent=True))
    page.fill("#message", "Tell a story.")
    page.click("#send")
    page.locator(".turn[aria-busy]").wait_for()
    until(lambda: not engine.next, "the engine was asked")  # else the next test gets no answer
    open_pane(page, "/playground?model=seer")
    assert "Tell a story." in page.locator("#turns").inner_text() + page.input_value("#message")


def test_focus_is_left(page: Page) -> None:
    """Whoever sets a parameter while an answer is awaited is not interrupted by it."""
    open_pane(page, "/playground?model=reader")
    page.evaluate(HOLD, ["window", "fetch"])
    page.fill("#message", "One.")
    page.click("#send")
    page.focus("#p-temperature")
    page.evaluate("release()")
    page.locator(".receipt.known").wait_for(timeout=WAIT)
    page.locator("#p-temperature:focus").wait_for()


def test_turns_are_changed(page: Page) -> None:
    """A message is taken back and had back; the last answer is asked for again."""
    open_pane(page, "/playground?model=reader")
    _say(page, "One.")
    _say(page, "Two.")
    page.get_by_role("button", name="Edit").first.click()
    assert page.input_value("#message") == "One."
    assert page.locator(".turn").count() == 0
    page.get_by_role("button", name="Undo").click()
    assert page.locator(".turn").count() == 4
    old = page.locator(".receipt").last.get_attribute("data-request")
    page.get_by_role("button", name="Try again").click()
    page.locator(f".turn:last-child .receipt.known:not([data-request={old}])").wait_for(
        timeout=WAIT
    )
    assert page.locator(".turn").count() == 4


def test_conversations_are_kept(page: Page) -> None:
    """A new one puts the other away; that is opened, and deleted, and had back."""
    open_pane(page, "/playground?model=reader")
    _say(page, "One.")
    page.click("#clear")
    page.reload()
    page.wait_for_selector("#playground[data-begun]")
    assert page.locator(".turn").count() == 0
    page.click("#past summary")
    page.locator("#past").get_by_role("button", name="Delete “One.”").click()
    assert page.locator("#past").get_by_role("button", name="One.", exact=True).count() == 0
    page.get_by_role("button", name="Undo").click()
    assert_accessible(page)
    page.locator("#past").get_by_role("button", name="One.", exact=True).click()
    assert page.locator(".turn").count() == 2


def test_tabs_share_earlier_conversations(page: Page) -> None:
    """What one tab puts away the other lists too; each keeps its own conversation."""
    open_pane(page, "/playground?model=reader")
    other = page.context.new_page()
    open_pane(other, "/playground?model=reader")
    _say(page, "One.")
    _say(other, "Two.")
    page.reload()
    page.get_by_text("One.").wait_for()
    for number, tab in enumerate((page, other), start=1):
        tab.click("#clear")
        for each in (page, other):
            told = f"Earlier conversations ({number})"
            expect(each.locator("#past summary")).to_have_text(told)
    other.close()


#: Fill the browser's storage to the last characters: with a picture of the current conversation,
#: and with other things. The page's key is not among them.
FILL = """() => {
  const [past] = Object.keys(localStorage).filter((name) => name.endsWith(":past"));
  const image = "data:," + "x".repeat(20000);
  const conversation = { system: "", turns: [{ role: "user", text: "Big.", images: [image] }] };
  localStorage.removeItem(past.replace("past", "key"));
  localStorage.setItem(past.replace("past", "chat"), JSON.stringify(conversation));
  for (let size = 2 ** 22; size >= 1; size /= 2) {
    try { localStorage.setItem(`filler-${size}`, "x".repeat(size)); } catch { /* full */ }
  }
  sessionStorage.clear();
}"""


def test_full_storage(page: Page) -> None:
    """Pictures that fill the storage cost no earlier conversation, and no key."""
    open_pane(page, "/playground?model=reader")
    _say(page, "One.")
    page.click("#clear")
    page.evaluate(FILL)
    open_pane(page, "/playground?model=seer")
    page.fill("#message", "And now?")
    page.click("#send")
    expect(page.locator(".fault")).to_contain_text("HTTP 400")  # it is no picture
    page.click("#clear")
    expect(page.locator("#past summary")).to_have_text("Earlier conversations (2)")


def test_another_model(page: Page) -> None:
    """Draft and parameters go along; the way back leads to the first model, in the list too."""
    open_pane(page, "/playground?model=reader")
    page.fill("#p-temperature", "0.5")
    page.fill("#message", "What now?")
    page.select_option("#model", "seer")
    page.wait_for_selector("#playground[data-model=seer][data-begun]")
    assert page.input_value("#message") == "What now?"
    assert page.input_value("#p-temperature") == "0.5"
    page.go_back()
    page.wait_for_selector("#playground[data-model=reader][data-begun]")
    expect(page.locator("#model")).to_have_value("reader")


def test_link_sets_the_system_prompt(page: Page) -> None:
    """It is shown, and stored like one that was typed."""
    link = "/playground?model=reader#set=" + quote(json.dumps({"system": "Be brief."}))
    open_pane(page, link)
    assert page.input_value("#system") == "Be brief."
    page.reload()
    page.wait_for_selector("#playground[data-begun]")
    assert page.input_value("#system") == "Be brief."


def test_link_carries_what_is_set(page: Page) -> None:
    """Parameters and words are in the link, behind its `#`, and filled in where it is opened."""
    open_pane(page, "/playground?model=reader")
    page.fill("#p-temperature", "0.5")
    page.fill("#message", "A % and a #.")
    page.click("#share")
    link = str(page.locator("#share").get_attribute("data-copy"))
    assert "temperature" not in link.partition("#")[0]
    page.goto("about:blank")
    open_pane(page, link)
    assert page.input_value("#message") == "A % and a #."
    assert page.input_value("#p-temperature") == "0.5"
    assert page.locator("#p-temperature").is_visible()
    assert "#" not in page.url
