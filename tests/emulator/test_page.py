"""The emulator's page in a real browser: what it shows, and to whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from kits.browser import PROGRAM, Browser, Page, chromium
from kits.cloud import image_id
from smartdc import DataCenter, SmartDCError
from smartdc.emulator import ByScript, Emulator, Fault, Server

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="the page is driven in Chromium, which is not installed")

REBOUND = "rebound.example"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser, which is led to loopback by another name, as by a rebound DNS."""
    with chromium(**{REBOUND: "127.0.0.1"}) as running:
        yield running


@pytest.fixture
def cloud() -> Emulator:
    """An emulator with two machines."""
    emulator = Emulator(1)
    emulator.populate(2)
    return emulator


@pytest.fixture
def server(cloud: Emulator) -> Iterator[Server]:
    """Its server."""
    with Server(cloud) as running:
        yield running


@pytest.fixture
def url(cloud: Emulator, server: Server) -> str:
    """The URL of its page, with the token."""
    return cloud.page_url(server.url)


@pytest.fixture
def dc(cloud: Emulator, server: Server) -> Iterator[DataCenter]:
    """A client of it."""
    with DataCenter(**cloud.connection(server.url)) as client:
        yield client


def opened(browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> Page:
    """Return the page, with its tables."""
    page = browser.page(url, width=width, dark=dark)
    page.until("document.querySelector('#machines table')")
    return page


def row(page: Page, section: str, text: str) -> list[str]:
    """Return the cells of the first row of a section that has a text, which is waited for."""
    find = f"[...document.querySelectorAll('#{section} tbody tr')].find(row => row.innerText.includes({text!r}))"
    page.until(find)
    return [str(cell) for cell in page.evaluate(f"[...{find}.cells].map(cell => cell.innerText)")]


def test_machines_that_are_made_through_the_api_appear(
    browser: Browser, cloud: Emulator, dc: DataCenter, url: str
) -> None:
    """With their states, their jobs and the requests, without the page being loaded again."""
    cloud.transitions.policy = ByScript()
    page = opened(browser, url)
    assert "2 running" in page.text("#machines h2")
    assert "No requests yet." in page.text("#requests")

    machine = dc.create_machine("web-1", package="g1-small", image=image_id(cloud, "base-64-lts"))
    assert row(page, "machines", "web-1")[:3] == ["web-1", "provisioning", ""]
    assert row(page, "jobs", "web-1") == ["provision", "web-1", "0 s", "running"]
    assert row(page, "requests", "CreateMachine")[:5] == ["1", "CreateMachine", "201", "demo", ""]

    cloud.transitions.release()
    machine.refresh()
    assert row(page, "machines", f"running\t{machine.primary_ip}")[0] == "web-1"
    assert row(page, "jobs", "succeeded")[0] == "provision"
    assert "2026-01-01 00:00:00 UTC, virtual clock" in page.text("header")
    assert page.complaints() == []


def test_what_goes_wrong_is_shown(browser: Browser, cloud: Emulator, dc: DataCenter, url: str) -> None:
    """Faults that are to come, that came, and jobs that failed."""
    page = opened(browser, url)
    cloud.faults.add(Fault("ListPackages", "status", status=503))
    cloud.faults.add(Fault("StopMachine", "reset"))
    cloud.transitions.fail("reboot", "no power")
    dc.packages()
    dc.machine("machine-0").reboot()

    assert row(page, "requests", "503")[1:5] == ["ListPackages", "503", "", "status"]
    assert row(page, "jobs", "no power") == ["reboot", "machine-0", "0 s", "failed: no power"]
    assert "1 fault to come" in page.text("header")


def test_markup_is_shown_as_text(browser: Browser, cloud: Emulator, dc: DataCenter, url: str) -> None:
    """Names, paths and reasons cannot become elements or scripts."""
    markup = "<img src=x onerror=alert(1)>"
    next(iter(cloud.state.machines.values())).name = markup
    with pytest.raises(SmartDCError):
        dc.request("GET", "/machines", params={"name": markup})
    cloud.transitions.fail("reboot", markup)
    dc.machine("machine-1").reboot()
    page = opened(browser, url)

    assert row(page, "machines", "<img")[0] == markup
    assert row(page, "jobs", "<img")[3] == f"failed: {markup}"
    assert row(page, "requests", "alert")[5].startswith("GET /demo/machines?name=")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.complaints() == []


@pytest.mark.parametrize(("token", "words"), [("", "needs the token"), ("#" + "0" * 32, "refuses this token")])
def test_without_the_token_nothing_is_shown(browser: Browser, server: Server, token: str, words: str) -> None:
    """The page says what is missing, and has no data."""
    page = browser.page(f"{server.url}/--emulator/{token}")
    page.until(f"document.body.innerText.includes({words!r})")

    assert "machine-0" not in page.text()
    assert not page.evaluate("document.querySelector('table')")


def test_pages_of_other_origins_get_nothing(browser: Browser, cloud: Emulator, server: Server, url: str) -> None:
    """Not even with the token: neither by a script, nor in a frame."""
    headers = {"X-Emulator-Token": cloud.token}
    with Server(Emulator()) as other:
        page = browser.page(f"{other.url}/--ping")
        read = f"fetch('{server.url}/--emulator/page', {{headers: {headers}}}).then(it => it.text(), it => it.name)"
        assert page.evaluate(read) == "TypeError"
        page.evaluate(
            f"new Promise(done => {{ const frame = document.createElement('iframe'); frame.src = '{url}';"
            "frame.onload = done; document.body.append(frame); })"
        )
        assert "pages of other origins may not" in page.text_of_frame()

        for said in ({"Origin": other.url}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
            for path in ("", "page"):
                answer = requests.get(f"{server.url}/--emulator/{path}", headers={**headers, **said}, timeout=5)
                assert answer.status_code == 403
                assert "machine-0" not in answer.text


def test_under_another_host_nothing_is_shown(browser: Browser, server: Server, url: str) -> None:
    """A page whose name has been rebound to this address gets neither the page nor the data."""
    page = browser.page(url.replace("127.0.0.1", REBOUND))

    assert "MisdirectedRequestError" in page.text()
    assert page.evaluate(f"fetch('http://{REBOUND}:{server.port}/--emulator/page').then(it => it.status)") == 421


def test_the_keyboard_does_all(browser: Browser, dc: DataCenter, url: str) -> None:
    """A slash filters, Escape ends that, p pauses."""
    page = opened(browser, url)
    page.press("/", *"machine-1")
    page.until("document.querySelectorAll('#machines tbody tr').length === 1")
    page.press("Escape")
    page.until("document.querySelectorAll('#machines tbody tr').length === 2")

    page.press("p")
    assert page.text("#pause") == "Continue"
    dc.packages()
    page.press("p")
    assert row(page, "requests", "ListPackages")[2] == "200"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_telephone_and_the_dark(browser: Browser, dc: DataCenter, url: str, dark: bool) -> None:
    """Nothing sticks out of 400 columns of pixels, and the colours are those that the system asks for."""
    dc.machine("machine-0").stop()
    page = opened(browser, url, width=400, dark=dark)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(box => box.scrollWidth <= box.clientWidth)")
    assert ground == ("rgb(20, 22, 26)" if dark else "rgb(246, 247, 249)")


def test_its_policy_is_strict(server: Server) -> None:
    """Nothing from elsewhere, no other script, no frames, and no trace in caches and referrers."""
    answer = requests.get(f"{server.url}/--emulator/", timeout=5)
    policy = answer.headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert requests.post(f"{server.url}/--emulator/", timeout=5).status_code == 403
