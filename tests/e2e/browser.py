# SPDX-License-Identifier: PostgreSQL
"""A real Chromium for the tests of the dashboard."""

import base64
import contextlib
import itertools
import os
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness import until

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars"]
DESKTOP = (1400, 1000)
PHONE = (390, 844)


def artefacts():
    """Where screenshots are left: the run's logs, or a folder of its own."""
    folder = os.environ.get("PGSLUICE_ARTEFACTS")
    if not folder:
        folder = os.path.join(tempfile.gettempdir(),
                              f"pgsluice-screens-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    return folder


def axe_source():
    """axe-core, as tests/run.sh gets it from npm."""
    for place in (os.environ.get("AXE_CORE"),
                  "/usr/share/nodejs/axe-core/axe.min.js"):
        if place and os.path.exists(place):
            with open(place, encoding="utf-8") as f:
                return f.read()
    raise AssertionError("no axe-core: tests/run.sh gets it, or set AXE_CORE "
                         "to its axe.min.js")


class Browser:
    """One window on one dashboard."""

    marks = itertools.count(1)

    def __init__(self, work):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={work}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(30)

    def quit(self):
        self.driver.quit()

    def size(self, size):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1,
            "mobile": size == PHONE})

    def scheme(self, name):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": name}]})

    def open(self, url, page="overview"):
        """Open a page afresh; returns when numbers are there."""
        self.driver.get("about:blank")
        self.driver.get(f"{url}#/{page}")
        until(lambda: self.text("#state") not in ("connecting", ""), 20)

    def go(self, page):
        self.js(f"location.hash = '#/{page}'")
        until(lambda: self.driver.execute_script(
            "return document.querySelector('nav [aria-current]')"
            f"?.dataset.page === '{page}'"))

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css):
        return self.js("const e = document.querySelector(arguments[0]);"
                       "return e && !e.hidden ? e.textContent : ''", css)

    def press(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self, mark=""):
        """Name of what has the focus, and whether one sees that it has."""
        return self.js("""
            const e = document.activeElement;
            if (!e || e === document.body) return null;
            const before = e.dataset.visited || '';
            e.dataset.visited = arguments[0];
            const style = getComputedStyle(e);
            return {what: e.id || e.dataset.page || e.ariaLabel ||
                        e.textContent.slice(0, 40),
                    tag: e.tagName.toLowerCase(),
                    again: arguments[0] !== '' && before === arguments[0],
                    seen: style.outlineStyle !== 'none' ||
                        e.tagName === 'H1' || e.id === 'main'};""", mark)

    def tab_order(self):
        """What Tab reaches, from the top of the page round once."""
        self.js("document.activeElement.blur(); window.scrollTo(0, 0)")
        self.driver.execute_cdp_cmd("Page.bringToFront", {})
        found, mark = [], str(next(self.marks))
        for _ in range(200):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            here = self.focused(mark)
            if here is None or here["again"]:
                break
            found.append(here)
        return found

    def violations(self):
        """What axe-core holds to be serious or worse."""
        if not self.js("return !!window.axe"):
            self.js(axe_source())
        found = self.driver.execute_async_script("""
            const done = arguments[arguments.length - 1];
            axe.run(document).then(r => done(r.violations.map(v =>
                ({id: v.id, impact: v.impact, nodes: v.nodes.map(n =>
                    n.html.slice(0, 200) + ' ' + n.failureSummary)}))));""")
        return [v for v in found if v["impact"] in ("serious", "critical")]

    def screenshot(self, name):
        self.js("window.scrollTo(0, 0)")
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})[
            "cssContentSize"]
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": size["width"],
                     "height": min(size["height"], 6000), "scale": 1}})
        path = os.path.join(artefacts(), f"dashboard-{name}.png")
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))
        return path

    def complaints(self):
        """What the page said on its console: errors of scripts, refusals of
        the content security policy."""
        return [e["message"] for e in self.driver.get_log("browser")
                if e["level"] == "SEVERE" and "/api/" not in e["message"]]


@contextlib.contextmanager
def behind(port, prefix):
    """A reverse proxy that serves 127.0.0.1:port under a prefix; its URL."""
    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(None)

        def do_POST(self):
            self.answer(b"")

        def answer(self, body):
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/{self.path[len(prefix):]}",
                data=body)
            request.headers.update(
                {k: v for k, v in self.headers.items()
                 if k in ("Authorization", "Accept")})
            try:
                r = urllib.request.urlopen(request, timeout=40)
            except urllib.error.HTTPError as e:
                r = e
            with r:
                data = r.read()
                self.send_response(r.status)
                for name in ("Content-Type", "Content-Security-Policy",
                             "X-Content-Type-Options"):
                    if r.headers[name]:
                        self.send_header(name, r.headers[name])
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
