# SPDX-License-Identifier: PostgreSQL
"""The dashboard in a real browser: numbers move, keyboard and screen readers
reach everything, tokens, hostile names, a daemon that is gone.

Screenshots are left in $PGSLUICE_ARTEFACTS (tests/run.sh: the folder of logs).
"""

import contextlib
import json
import os
import re
import signal
import threading

import pytest

from browser import DESKTOP, PHONE, Browser, By, Keys, behind
from harness import private_file, until

TOKEN = "0123456789abcdef0123456789abcdef"
PAGES = ("overview", "routes", "cache", "shards", "experiments", "sessions")
CONF = """
auth = "trust"
admin_users = {"app"}
http_token_file = "$TOKEN"
track_shapes = true
cache_governor = false
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
cache "numbers" { databases = {"app"} tables = {"numbers"} ttl = 60s }
"""
HOSTILE = "<img src=x onerror=\"document.title='pwned'\">"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.quit()


@pytest.fixture
def sluice(lab, pg, db, pgsluice):
    pg.psql("CREATE TABLE numbers (id int PRIMARY KEY); "
            "INSERT INTO numbers SELECT generate_series(1, 1000); "
            "CREATE TABLE plain (id int); GRANT ALL ON numbers, plain TO app",
            dbname=db)
    path = os.path.join(lab.work, "token")
    if not os.path.exists(path):
        private_file(path, TOKEN + "\n")
    return pgsluice(CONF, TOKEN=path)


@contextlib.contextmanager
def traffic(sluice, **kw):
    """Hits, misses and statements that are not cached, until the end."""
    over = threading.Event()

    def run():
        with sluice.connect(**kw) as conn:
            n = 0
            while not over.wait(0.005):
                n += 1
                conn.execute(f"SELECT * FROM numbers WHERE id = {n % 40}")
                conn.execute("SELECT * FROM numbers WHERE id < 5")
                conn.execute(f"SELECT count(*) FROM plain WHERE id = {n}")
    t = threading.Thread(target=run)
    t.start()
    try:
        yield
    finally:
        over.set()
        t.join()


def url(sluice):
    return f"http://127.0.0.1:{sluice.http_port}/"


def number(text):
    """1,234 or 1.2 k as a number; None if it is none."""
    m = re.match(r"([\d.,]+) ?([kMG])?", text)
    if not m:
        return None
    return float(m[1].replace(",", "")) * {None: 1, "k": 1e3, "M": 1e6,
                                           "G": 1e9}[m[2]]


def test_numbers_move(sluice, browser):
    browser.size(DESKTOP)
    with traffic(sluice, application_name="shop"):
        browser.open(url(sluice))
        until(lambda: (number(browser.text("#tile-rate")) or 0) > 10, 20)
        seen = {browser.text("#tile-rate + .note")}

        def moved():
            seen.add(browser.text("#tile-rate + .note"))
            return len(seen) >= 3
        until(moved, 20)
        assert browser.text("#state") == "serving"
        assert "%" in browser.text("#tile-hits")
        assert number(browser.text("#tile-p95")) > 0
        assert browser.text("#tile-clients") == "1"
        # Charts are drawn, and their lines are named.
        until(lambda: len(browser.all(".plot canvas")) >= 3)
        assert [e.text.split(" ")[0] for e in browser.all(".legend li")][:4] \
            == ["Memory", "Redis", "Miss", "Not"]
        until(lambda: len(browser.all(".legend")[0].find_elements(
            By.CSS_SELECTOR, "b")) == 4)
        browser.screenshot("overview")
        for page in PAGES[1:]:
            browser.go(page)
            until(lambda: browser.js(
                "return document.querySelectorAll('main .card').length"))
            if page == "sessions":
                until(lambda: "shop" in browser.text("main"))
            if page == "routes":
                until(lambda: "plain" in browser.text("main"))
            if page == "cache":
                until(lambda: number(browser.text("#tile-objects")))
                # Asked for with each turn of the loop, beside 40 others.
                until(lambda: cells(browser, "Hot keys", "Statement")[:1] ==
                      ["SELECT * FROM numbers WHERE id < ?"])
                assert number(cells(browser, "Hot keys",
                                    "Hits per second")[0]) > 0
                assert cells(browser, "Hot keys", "Layer")[0] == "Memory"
            browser.screenshot(page)
    assert browser.complaints() == []


def test_the_page_says_what_the_api_says(sluice, browser):
    with traffic(sluice):
        until(lambda: sluice.count("queries") > 30)
    browser.open(url(sluice), "routes")
    told = sluice.console("SHOW LATENCY")
    total = sum(r["count"] for r in told)

    def counts():
        return browser.js(
            "return [...document.querySelectorAll(\"[aria-label='Latency'] "
            "tbody tr\")].map(r => r.cells[4].textContent)")
    until(lambda: sum(int(c.replace(",", "")) for c in counts()) == total)


@pytest.mark.parametrize("size", (DESKTOP, PHONE), ids=("desktop", "phone"))
@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_accessible(sluice, browser, scheme, size):
    with traffic(sluice):
        browser.size(size)
        browser.scheme(scheme)
        browser.open(url(sluice))
        until(lambda: (number(browser.text("#tile-rate")) or 0) > 0, 20)
        try:
            for page in PAGES:
                browser.go(page)
                until(lambda: browser.js(
                    "return document.querySelectorAll('main td').length > 0 "
                    "|| location.hash.includes('experiments') "
                    "|| location.hash.includes('shards')"))
                assert browser.violations() == [], page
                # Nothing sticks out at the side.
                assert browser.js("return document.documentElement."
                                  "scrollWidth <= innerWidth"), page
                if page in ("overview", "sessions"):
                    browser.screenshot(
                        f"{page}-{scheme}-"
                        f"{'phone' if size == PHONE else 'desktop'}")
            browser.all("#actions")[0].click()
            until(lambda: browser.all("#action option"))
            assert browser.violations() == [], "dialog"
            browser.screenshot(f"dialog-{scheme}")
        finally:
            browser.scheme("light")
            browser.size(DESKTOP)


def test_keyboard_reaches_everything(sluice, browser):
    browser.size(DESKTOP)
    browser.open(url(sluice))
    until(lambda: browser.text("#tile-clients") != "–")
    order = browser.tab_order()
    names = [o["what"] for o in order]
    assert names[0] == "skip"
    assert [n for n in names if n in PAGES] == list(PAGES)
    assert {"actions", "theme"} <= set(names)
    assert all(o["seen"] for o in order), order
    # Everything that can be used is on the way.
    usable = browser.js("""
        return [...document.querySelectorAll(
            'a[href], button, select, input, summary, [tabindex="0"]')]
            .filter(e => e.checkVisibility() && !e.closest('dialog'))
            .filter(e => e.type !== 'radio' || e.checked).length""")
    assert len(order) >= usable
    # Each page by its link, with the heading told.
    for page in PAGES:
        browser.js("document.querySelector(arguments[0]).focus()",
                   f"nav a[data-page={page}]")
        browser.press(Keys.ENTER)
        until(lambda: page in browser.js("return location.hash"))
        if page != "overview":
            until(lambda: browser.focused()["tag"] == "h1")
    # The skip link, the theme, the dialog.
    browser.js("document.getElementById('skip').focus()")
    browser.press(Keys.ENTER)
    until(lambda: browser.focused()["what"] == "main")
    browser.js("document.getElementById('theme').focus()")
    themes = []
    for _ in range(3):
        browser.press(Keys.ENTER)
        themes.append(browser.js(
            "return document.documentElement.dataset.theme || 'auto'"))
    assert themes == ["light", "dark", "auto"]
    browser.js("document.getElementById('actions').focus()")
    browser.press(Keys.ENTER)
    until(lambda: browser.js("return document.getElementById('dialog').open"))
    browser.press(Keys.ESCAPE)
    until(lambda: not browser.js(
        "return document.getElementById('dialog').open"))
    assert browser.focused()["what"] == "actions"


EXPERIMENT = """
auth = "trust"
admin_users = {"app"}
backend "main" { conninfo = "host=127.0.0.1 port=$PG dbname=$DB" }
database "app" { backend = "main" }
table "things" {
    key_column = "tenant" key_type = "int4"
    variant "one" { kind = "plain" backend = "main" relation = "one" }
    variant "two" { kind = "plain" backend = "main" relation = "two" }
}
experiment "try" { table = "things" arms = {"one:50", "two:50"}
    unit = "tenant" }
"""


def cells(browser, label, column):
    """A column of a table by its heading."""
    return browser.js("""
        const t = document.querySelector(`table[aria-label="${arguments[0]}"]`);
        if (!t) return [];
        const at = [...t.tHead.rows[0].cells].findIndex(
            c => c.textContent === arguments[1]);
        return [...t.tBodies[0].rows].map(r => r.cells[at].textContent);""",
                      label, column)


def test_experiment(pg, db, pgsluice, browser):
    """Arms, their interval as the API has it, distributions, statements."""
    pg.psql("SET ROLE app; CREATE TABLE one (tenant int, n int); "
            "CREATE TABLE two (LIKE one)", dbname=db)
    sluice = pgsluice(EXPERIMENT)
    until(lambda: sluice.console("SHOW EXPERIMENTS")[0]["state"] == "running")
    with sluice.connect() as conn:
        for n in range(2000):
            conn.execute(f"SELECT n FROM things WHERE tenant = {n % 50}")
    browser.size(DESKTOP)
    browser.open(url(sluice), "experiments")
    until(lambda: cells(browser, "try: arms", "Arm") == ["one", "two"])
    until(lambda: sum(number(c) for c in cells(
        browser, "try: arms", "Statements")) == 2000)
    _, text = sluice.http("/api/experiments.json")
    control, other = json.loads(text)["experiments"][0]["arms"]
    ratio = other["ratio_to_control"]
    interval = (f"×{ratio['value']:.3f} ({ratio['low']:.3f} to "
                f"{ratio['high']:.3f})")
    told = cells(browser, "try: arms", "Time against the control")
    assert told[1] == interval
    drawn = browser.js("return document.querySelector('.interval')"
                       ".getAttribute('aria-label')")
    assert f"{ratio['low']:.3f} and {ratio['high']:.3f}" in drawn
    assert len(browser.all(".experiment canvas")) == 1
    assert "SELECT n FROM things WHERE tenant = ?" in \
        cells(browser, "try: statements", "Statement")
    for scheme in ("dark", "light"):
        browser.scheme(scheme)
        assert browser.violations() == [], scheme
    browser.screenshot("experiment")
    sluice.console("STOP EXPERIMENT try")
    until(lambda: "stopped" in browser.text(".experiment .head"), 20)


def test_no_experiment_is_told(sluice, browser):
    browser.open(url(sluice), "experiments")
    until(lambda: "No experiment is configured" in browser.text("main"))


def act(browser, action, token):
    browser.js("""
        const set = (id, v, what) => { const e = document.getElementById(id);
            e.value = v; e.dispatchEvent(new Event(what)); };
        set('token', arguments[1], 'input');
        set('action', arguments[0], 'change');
        document.getElementById('result').textContent = '';
        document.getElementById('run').click();""", action, token)
    until(lambda: browser.text("#result").startswith(("Done", "Refused")), 40)
    return browser.text("#result")


def test_actions(sluice, browser):
    browser.open(url(sluice))
    browser.all("#actions")[0].click()
    until(lambda: len(browser.all("#action option")) > 5)
    assert "token" in act(browser, "pause", "wrong" * 5)
    assert sluice.console("SHOW STATE")[1]["value"] == "no"
    assert act(browser, "pause", TOKEN) == "Done: PAUSE"
    until(lambda: browser.text("#state") == "paused")
    assert sluice.console("SHOW STATE")[1]["value"] == "yes"
    assert act(browser, "resume", TOKEN) == "Done: RESUME"
    until(lambda: browser.text("#state") == "serving")
    browser.js("sessionStorage.clear()")


def test_without_a_token_it_is_only_read(pg, db, pgsluice, browser):
    plain = pgsluice()
    browser.open(url(plain))
    browser.all("#actions")[0].click()
    until(lambda: "No token is configured" in browser.text("#action-note"))
    until(lambda: len(browser.all("#action option")) > 5)
    assert "http_token_file" in act(browser, "pause", TOKEN)
    browser.js("sessionStorage.clear()")


def test_reading_with_a_token(sluice, browser):
    sluice.console("SET http_dashboard = token")
    browser.open(url(sluice))
    until(lambda: browser.text("#state") == "refused")
    until(lambda: browser.js("return document.getElementById('dialog').open"))
    # Closed, it stays so, while the page goes on asking.
    asked = browser.js(
        "return performance.getEntriesByType('resource').length")
    browser.press(Keys.ESCAPE)
    until(lambda: browser.js("return performance.getEntriesByType('resource')"
                             ".length") > asked + 1)
    assert not browser.js("return document.getElementById('dialog').open")
    browser.js("""const e = document.getElementById('token');
        e.value = arguments[0]; e.dispatchEvent(new Event('input'));""", TOKEN)
    until(lambda: browser.text("#state") == "serving")
    browser.js("sessionStorage.clear()")


def test_hostile_names_are_shown_as_text(sluice, browser):
    with sluice.connect(application_name=HOSTILE) as conn:
        conn.execute("SELECT 1")
        browser.open(url(sluice), "sessions")
        until(lambda: HOSTILE in browser.text("main"))
        assert browser.all("main img") == []
        assert browser.js("return document.title") == "Sessions · pgsluice"
        browser.screenshot("hostile")


def test_behind_a_prefix(sluice, browser):
    with behind(sluice.http_port, "/team/pgsluice/") as at:
        with traffic(sluice):
            browser.open(at)
            until(lambda: (number(browser.text("#tile-rate")) or 0) > 0, 20)
            for page in PAGES:
                browser.go(page)
            assert browser.text("#state") == "serving"
        browser.all("#actions")[0].click()
        until(lambda: len(browser.all("#action option")) > 5)
        assert act(browser, "reconnect", TOKEN) == "Done: RECONNECT"
        browser.js("sessionStorage.clear()")
    assert browser.complaints() == []


def test_a_daemon_that_is_gone_is_told(sluice, browser):
    browser.open(url(sluice))
    assert browser.text("#banner") == ""
    sluice.stop([signal.SIGKILL], expect=-signal.SIGKILL)
    until(lambda: "does not answer" in browser.text("#banner"), 20)
    assert browser.text("#state") == "no answer"
    assert "old" in browser.text("#banner")
    browser.screenshot("gone")
    sluice.start()
    until(lambda: browser.text("#state") == "serving", 20)
    assert browser.text("#banner") == ""
