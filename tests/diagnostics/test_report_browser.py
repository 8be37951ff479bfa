"""The page of a report in a real browser: nothing to complain of, nothing missing, nothing too wide."""

import base64
import shutil
from pathlib import Path

import pytest

from diagnostics.report import write_report
from tests.diagnostics.sample_reports import report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
WIDTHS = [390, 1440]  # a telephone, a desk

if BROWSER is None or DRIVER is None:
    pytest.skip("no chromium with its chromedriver is installed", allow_module_level=True)
pytest.importorskip("selenium", reason="selenium, which drives the browser, is not installed")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip


@pytest.fixture(scope="module", params=["one subject", "two subjects"])
def page(request, tmp_path_factory):
    both = [report(), report("corrected " * 8, status="passed", detail="no drop", drift=0.0)]
    shown = both[: 1 + (request.param == "two subjects")]
    return write_report(shown, tmp_path_factory.mktemp("report"), command="diagnose report").html


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def show(browser, page: Path, width: int, scheme: str = "light") -> None:
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    browser.get(page.as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_console_is_empty_every_figure_is_there_and_nothing_overflows(browser, page, width, scheme):
    show(browser, page, width, scheme)
    images, broken, unnamed, reach = browser.execute_script("""
        document.querySelectorAll("details").forEach(details => { details.open = true; });
        const images = [...document.images];
        return [
            images.length,
            images.filter(image => !image.complete || image.naturalWidth === 0).length,
            images.filter(image => !image.alt).length,
            document.documentElement.scrollWidth,
        ];
    """)
    assert images == page.read_text().count("<img ") > 10
    assert (broken, unnamed) == (0, 0)
    assert reach <= width
    assert browser.get_log("browser") == []


def test_the_page_and_its_pictures_turn_dark_with_the_reader(browser, page):
    pixels = {}
    for scheme in ("light", "dark"):
        show(browser, page, 390, scheme)
        # an SVG loaded as a picture draws on a canvas as it is seen
        pixels[scheme] = browser.execute_script("""
            const image = document.images[0], canvas = document.createElement("canvas");
            canvas.width = canvas.height = 8;
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            const page = getComputedStyle(document.body).backgroundColor;
            return [page, [...context.getImageData(1, 1, 1, 1).data]];
        """)
    assert pixels["light"] == ["rgb(251, 250, 247)", [255, 255, 255, 255]]
    assert pixels["dark"] == ["rgb(23, 24, 26)", [33, 35, 39, 255]]


def test_what_is_folded_on_the_screen_is_printed(browser, page):
    folded = """
        const folded = [...document.querySelectorAll("details:not([open]) > :not(summary)")];
        return [folded.length, folded.filter(element => element.checkVisibility()).length];
    """
    show(browser, page, 1440)
    number, seen = browser.execute_script(folded)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert number > 0
    assert (seen, browser.execute_script(folded)) == (0, [number, number])
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF")
