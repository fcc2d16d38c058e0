"""Walks every page that links lead to, as the public and as each role: accessible, quiet, still, and fitting its window.

usage: accessibility.py BINARY
Prints `ok NAME` for each test; lists every fault once and exits with 1 if there are any.
"""
import os, re, sys, tempfile
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from browser import CSV, PASSWORD, Node, free_port

ROLES = ["clerk", "reviewer", "authority", "steward", "sysadmin", "secadmin", "auditor"]
SAMPLES = {"/console/entries/*": 9, "/console/openings/*": 4}  # these differ with the stage of what they show
NO_PAGES = re.compile(r"/(api|signout|metrics|assets|vendor|imports/template)\b|/package$|\.\w+$")
AXE = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]}
WATCH = """
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => (window.shift += entry.hadRecentInput ? 0 : entry.value))).observe({ type: "layout-shift", buffered: true });
addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
"""
WIDTH = "Math.max(document.scrollingElement.scrollWidth, innerWidth)"
WEIGHT = "performance.getEntries().reduce((sum, entry) => sum + (entry.decodedBodySize ?? 0), 0)"
LINKS = "[...document.links].filter((a) => a.origin === location.origin && !a.download).map((a) => a.href)"
# Names of organisations, people and data columns stay in the language they were given in.
CHINESE = """[...document.querySelectorAll("nav a, h1, h2, button, thead th:not([title]), label, option, legend, summary")]
  .filter((e) => !e.closest("[name=provider], [name=organisation], [name=parent], [name=v_entry], datalist, .paper, .published") && (e.tagName !== "H1" || !/\\d|console$/.test(location.pathname)))
  .map((e) => (e.tagName === "LABEL" ? e.querySelector("span") ?? e : e).textContent.trim()).filter((text) => /[\\u4e00-\\u9fff]/.test(text))"""
FOCUS = """(() => {
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  window.met ??= [];
  if (!met.includes(e)) met.push(e);
  const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 && box.width > 0 && box.right > 0 && box.bottom > 0;
  return { id: met.indexOf(e), html: e.outerHTML.slice(0, 120), isSkip: e.className === "skip", isSeen: isSeen || e === document.body };
})()"""
MISSED = """[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter((e) => e.checkVisibility() && !e.disabled && !met.includes(e)).map((e) => e.outerHTML.slice(0, 120))"""


def shape(address):
    return "/".join("*" if re.search(r"\d", part) else part for part in urlsplit(address).path.split("/"))


class Visitor:
    """One person's browser."""

    told, seen_on_phone = set(), set()

    def __init__(self, browser, base, login=None, locale="zh-CN"):
        self.base, self.name, self.allowed, self.faults = base, login or "public", None, []
        self.page = page = browser.new_context(viewport={"width": 1440, "height": 900}, locale=locale).new_page()
        page.add_init_script(WATCH)
        page.on("console", lambda message: message.type in ("error", "warning") and self.fault("console", message.text))
        page.on("pageerror", lambda error: self.fault("script", error))
        page.on("requestfailed", lambda request: "ABORTED" in request.failure or self.fault("request", f"{request.url} {request.failure}"))
        page.on("response", lambda response: response.status >= 400 and self.fault("request", f"{response.status} {response.url}"))
        if login:
            page.goto(base + "/signin")
            page.fill("[name=login]", login)
            page.fill("[name=password]", PASSWORD)
            page.click("main form button")
            page.wait_for_url("**/console")

    def fault(self, kind, detail, place=""):
        key = (shape(self.page.url), kind, place or str(detail))
        if key not in self.told and not (self.allowed and self.allowed in str(detail)):
            self.told.add(key)
            self.faults.append(f"{self.name} {self.page.url.removeprefix(self.base)}: {kind}: {detail}")

    def open(self, address):
        self.page.goto(address)
        for drawing in self.page.locator("#map, canvas[data-marks]").all():
            drawing.and_(self.page.locator("[data-ready]")).wait_for(timeout=20000)

    def audit(self, window):
        for violation in Axe().run(self.page, options=AXE).response["violations"]:
            first, rule = violation["nodes"][0], f"{violation['id']} × {len(violation['nodes'])}"
            self.fault(f"axe ({window})", f"{rule}: {first['target']} {first['html'][:200]} {first['failureSummary'].split('  ')[-1]}", violation["id"])
        if (shift := self.page.evaluate("shift")) >= 0.1:
            self.fault(f"layout shift ({window})", f"{shift:.3f}")

    def check(self, address=None):
        """Everything about one page; without an address, about the page now open."""
        if address:
            self.open(address)
        if (headings := self.page.locator("main h1").count()) != 1:
            self.fault("heading", f"{headings} h1")
        self.audit("1440")
        for width in [2560, 390, 1440]:
            self.show(width)
            for _ in range(20):  # maps and charts follow their window a little later
                if (wide := self.page.evaluate(WIDTH)) == width:
                    break
                self.page.wait_for_timeout(100)
            else:
                self.fault("overflow", f"{wide} pixels at {width}")
        if address and shape(address) not in self.seen_on_phone:
            self.seen_on_phone.add(shape(address))
            self.show(390, "dark")
            self.open(address)
            self.audit("390 dark")
            self.show(1440, "light")

    def show(self, width, scheme="light"):
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)

    def read(self, addresses):  # whether the site's own words are English
        self.page.goto(self.base + "/?lang=en")
        for address in addresses:
            self.page.goto(address)
            for text in self.page.evaluate(CHINESE):
                self.fault("Chinese", text[:80])

    def crawl(self, start):
        waiting, visits, seen = [self.base + start], {}, set()
        while waiting:
            address = waiting.pop(0).split("#")[0]
            route = shape(address)
            if address in seen or visits.get(route, 0) >= SAMPLES.get(route, 1) or NO_PAGES.search(urlsplit(address).path):
                continue
            seen.add(address)
            visits[route] = visits.get(route, 0) + 1
            self.check(address)
            waiting += [link for link in self.page.evaluate(LINKS) if "?lang=" not in link]
        return sorted(seen)


def workflow(clerk):
    """The pages that only an upload leads to."""
    book = clerk.page.request.get(clerk.base + "/api/v1/entries.xlsx").body()
    for name, file, content in [("upload", "点位.csv", CSV.encode()), ("import", "目录.xlsx", book)]:
        clerk.page.goto(f"{clerk.base}/console/{name}")
        clerk.page.set_input_files("[name=file]", {"name": file, "mimeType": "application/octet-stream", "buffer": content})
        clerk.page.check("[name=no_secrets]")
        clerk.page.click("form[data-upload] button")
        clerk.page.wait_for_url(re.compile(rf"/console/{name}s?/."))
        clerk.check()


def sign_in_by_keyboard(page, steps=0):
    for name, text in [("login", "clerk"), ("password", PASSWORD)]:
        while not page.locator(f"[name={name}]:focus").count() and (steps := steps + 1) < 40:
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console", timeout=10000)


def tab_through(visitor, path):
    page, last = visitor.page, None
    page.goto(visitor.base + path, wait_until="networkidle")
    for step in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if step == 0 and not focus["isSkip"]:
            visitor.fault("keyboard", f"the skip link is not first but {focus['html']}")
        if focus["id"] == last or not focus["isSeen"]:
            visitor.fault("keyboard", f"{'a trap' if focus['isSeen'] else 'the focus is not visible'}: {focus['html']}")
        last = focus["id"]
    for html in page.evaluate(MISSED) if page.evaluate("met.length") < 80 else []:
        visitor.fault("keyboard", f"not reached: {html}")
    page.focus(".skip")
    page.keyboard.press("Enter")
    page.wait_for_selector("main:focus", timeout=5000)


def run(browser, base):
    faults = []

    def quiet(name, visitor):
        print("FAILED" if visitor.faults else "ok", name, flush=True)
        faults.extend(visitor.faults)
        visitor.page.context.close()

    public = Visitor(browser, base)
    public.page.goto(base + "/", wait_until="networkidle")
    if (weight := public.page.evaluate(WEIGHT)) >= 100_000:
        public.fault("weight", f"{weight} bytes")
    public.crawl("/")
    public.allowed = "404"
    public.check(base + "/resources/999999-999999")
    quiet("public_pages", public)
    english = Visitor(browser, base, locale="en-US")
    english.read(english.crawl("/?lang=en"))
    quiet("public_pages_in_english", english)
    for role in ROLES:
        visitor = Visitor(browser, base, role)
        pages = visitor.crawl("/console")
        if role == "clerk":
            workflow(visitor)
        visitor.read(pages)
        quiet(f"pages_of_the_{role}", visitor)
    public = Visitor(browser, base)
    for path in ["/", "/search", "/signin"]:  # the last leaves the visitor where one signs in
        tab_through(public, path)
    sign_in_by_keyboard(public.page)
    tab_through(public, "/console/entries")
    quiet("keyboards_reach_everything", public)
    return faults


def main(binary):
    with tempfile.TemporaryDirectory(prefix="tongqu-accessibility-") as folder, sync_playwright() as playwright:
        node = Node(binary, os.path.join(folder, "node"), free_port())
        try:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"])
            faults = run(browser, f"http://127.0.0.1:{node.port}")
            browser.close()
            node.stop()
        finally:
            node.process.kill()
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main(sys.argv[1])
