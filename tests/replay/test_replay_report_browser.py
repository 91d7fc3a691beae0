"""The report in a real Chromium: from a file, offline, by keyboard, on small screens and on paper."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.conftest import IN_CI
from tests.replay import samples
from worker.replay.output.report import report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED = {"chromium": "chromium", "chromedriver": "chromium-driver", "pdftotext": "poppler-utils"}
"""Commands that the tests use, and Debian's packages that have them."""
BEYOND = (
    ".filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)"
    ".map((one) => one.outerHTML)"
)
"""Of elements those that reach beyond the page."""
HOSTILE_ID = "<script>document.title='broken'</script>" + "W" * 40
SIZES = (360, 1440)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chrome]:
    """A headless Chromium that notes every request and every word on the console."""
    missing = [package for command, package in NEEDED.items() if shutil.which(command) is None]
    if missing:
        told = f"no Chromium to read the report with: apt-get install {' '.join(missing)}"
        if IN_CI:
            pytest.fail(f"CI must test the report in a real browser: {told}", pytrace=False)
        pytest.skip(told)
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page for each kind of replay, one of its claims hostile."""
    folder = tmp_path_factory.mktemp("reports")
    for name in ("reproduced", "replayed", "what_if", "impact"):
        told = getattr(samples, name)()
        shown = samples.examples(told)
        if shown:
            shown[1] = samples.example(shown[1].cause, 1, HOSTILE_ID)
        (folder / f"{name}.html").write_text(report(told, shown), encoding="utf-8")
    return folder


@pytest.fixture
def browser(chromium: Chrome) -> Chrome:
    """The browser, wide and light, with empty logs."""
    chromium.get("about:blank")
    _screen(chromium, 1440)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    return chromium


def _screen(browser: Chrome, width: int, media: str = "", **features: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    named = [
        {"name": name.replace("_", "-"), "value": value}
        for name, value in ({"prefers_color_scheme": "light"} | features).items()
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": named})


def _open(browser: Chrome, pages: Path, name: str) -> None:
    browser.get((pages / f"{name}.html").as_uri())


def _run(browser: Chrome, script: str, *arguments: Any) -> Any:
    return browser.execute_script(script, *arguments)


def _opened(browser: Chrome) -> list[str]:
    return _run(browser, "return [...document.querySelectorAll('.claim[open]')].map((one) => one.id)")


def _shown(browser: Chrome) -> int:
    return _run(
        browser,
        "return [...document.querySelectorAll('.claim')].filter((one) => one.checkVisibility()).length",
    )


@pytest.mark.parametrize("name", ["reproduced", "replayed", "what_if", "impact"])
def test_a_page_opens_without_a_request_and_without_a_word_on_the_console(
    browser: Chrome, pages: Path, name: str
) -> None:
    _open(browser, pages, name)
    assert browser.title != "broken"
    assert browser.get_log("browser") == []
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    asked = {
        one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {(pages / f"{name}.html").as_uri()}
    policy = _run(browser, "return getComputedStyle(document.body).maxWidth")
    assert policy != "none", "the page's own style was not let in"


def test_the_page_lets_no_foreign_script_or_style_in(browser: Chrome, pages: Path) -> None:
    _open(browser, pages, "replayed")
    _run(
        browser,
        "const one = document.createElement('script'); one.textContent = 'window.ran = true';"
        "document.body.append(one); document.body.setAttribute('style', 'color: red');",
    )
    assert _run(browser, "return window.ran") is None
    assert _run(browser, "return getComputedStyle(document.body).color") != "rgb(255, 0, 0)"


def test_the_tab_key_reaches_every_claim_and_enter_and_space_open_it(browser: Chrome, pages: Path) -> None:
    _open(browser, pages, "replayed")
    reached: dict[str, str] = {}
    keys = [Keys.ENTER, Keys.SPACE]
    for _ in range(120):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        claim = _run(
            browser,
            "const one = document.activeElement;"
            "return one.matches('.claim > summary') ? one.parentElement.id : ''",
        )
        if claim and claim not in reached:
            reached[claim] = _run(browser, "return getComputedStyle(document.activeElement).outlineStyle")
            if keys:
                browser.switch_to.active_element.send_keys(keys.pop())
                assert claim in _opened(browser)
        if len(reached) == 20:
            break
    assert list(reached) == [f"claim-{place}" for place in range(1, 21)]
    assert set(reached.values()) == {"solid"}, "the focus must be seen"


def test_the_first_stop_skips_to_the_verdict(browser: Chrome, pages: Path) -> None:
    _open(browser, pages, "replayed")
    browser.switch_to.active_element.send_keys(Keys.TAB)
    first = browser.switch_to.active_element
    assert first.text == "Skip to the verdict"
    first.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#verdict")


def test_all_claims_open_and_close_at_once_and_a_filter_leaves_those_sought(
    browser: Chrome, pages: Path
) -> None:
    _open(browser, pages, "what_if")
    browser.find_element(By.ID, "expand").click()
    assert len(_opened(browser)) == 100
    browser.find_element(By.ID, "collapse").click()
    assert _opened(browser) == []
    sought = browser.find_element(By.ID, "filter")
    sought.send_keys("TAMPERED")
    assert _shown(browser) == 1
    assert browser.find_element(By.ID, "shown").text == "1 of 100 shown"
    browser.find_element(By.ID, "expand").click()
    assert len(_opened(browser)) == 1
    sought.send_keys(Keys.CONTROL, "a", Keys.NULL, "40117")
    assert _shown(browser) == 1
    sought.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    assert _shown(browser) == 100


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", ["reproduced", "what_if"])
def test_no_page_scrolls_sideways(browser: Chrome, pages: Path, name: str, width: int) -> None:
    _screen(browser, width)
    _open(browser, pages, name)
    _run(browser, "document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    inside = _run(browser, "return document.documentElement.clientWidth")
    assert _run(browser, "return document.documentElement.scrollWidth") == inside <= width
    outside = _run(
        browser,
        "return [...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll, .unseen'))"
        + BEYOND,
    )
    assert outside == []


def test_a_table_that_scrolls_can_be_reached_by_keyboard_and_one_that_fits_is_no_stop(
    browser: Chrome, pages: Path
) -> None:
    stops = {}
    for width in SIZES:
        _screen(browser, width)
        _open(browser, pages, "replayed")
        stops[width] = browser.execute_async_script(
            "const [done] = arguments; requestAnimationFrame(() => setTimeout(() => "
            "done([...document.querySelectorAll('.scroll')].filter((one) => one.tabIndex === 0)"
            ".map((one) => one.scrollWidth > one.clientWidth))))"
        )
    assert stops[1440] == []
    assert stops[360]
    assert all(stops[360])


CONTRAST = """
const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
  .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const behind = (one) => {
  for (; one; one = one.parentElement) {
    const color = numbers(getComputedStyle(one).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const poor = new Set();
for (const one of document.querySelectorAll('body *:not(svg *, script)')) {
  const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !one.checkVisibility()) continue;
  const [a, b] = [light(numbers(getComputedStyle(one).color)), light(behind(one))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.add(`${one.tagName}.${one.className}: ${ratio.toFixed(2)}`);
}
return [...poor];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["reproduced", "what_if"])
def test_all_text_stands_out_from_what_is_behind_it(
    browser: Chrome, pages: Path, name: str, scheme: str
) -> None:
    _screen(browser, 1440, prefers_color_scheme=scheme)
    _open(browser, pages, name)
    _run(browser, "document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert _run(browser, CONTRAST) == []
    ground = _run(browser, "return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(17, 21, 27)") == (scheme == "dark")


def test_paper_has_every_folded_claim_and_table(browser: Chrome, pages: Path, tmp_path: Path) -> None:
    _open(browser, pages, "replayed")
    (tmp_path / "report.pdf").write_bytes(b64decode(browser.print_page()))
    command = ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.count("necessity.large-lesion") == _run(
        browser, "return document.body.textContent.split('necessity.large-lesion').length - 1"
    )
    for words in (
        "Results by partition",
        "The numbers of this picture",
        "Places of the window",
        samples.digest("e0")[7:],
    ):
        assert words in told
    assert "Expand all" not in told
    assert _opened(browser) == [], "after printing the screen is as it was"


def test_paper_has_three_differing_claims_a_page_and_more(
    browser: Chrome, pages: Path, tmp_path: Path
) -> None:
    _open(browser, pages, "what_if")
    (tmp_path / "report.pdf").write_bytes(b64decode(browser.print_page()))
    command = ["pdfinfo", str(tmp_path / "report.pdf")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count = next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Pages:"))
    assert count <= 36, "a hundred claims, and what stands before them"


def test_paper_needs_no_script_to_unfold_and_is_black_on_white(browser: Chrome, pages: Path) -> None:
    _screen(browser, 700, "print", prefers_color_scheme="dark")
    _open(browser, pages, "replayed")
    assert _opened(browser) == []
    assert _run(browser, "return document.querySelector('.both tbody').getBoundingClientRect().height") > 100
    colors = "const one = getComputedStyle(document.body); return [one.color, one.backgroundColor]"
    assert _run(browser, colors) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    clipped = _run(
        browser,
        "return [...document.querySelectorAll('table')]" + BEYOND,
    )
    assert clipped == []
