"""People who work at the pages of a system as they would by hand: finding things by their words, filling forms, pressing buttons, reading papers.

Widths of punctuation and other fields, buttons and pages that a pack adds do not disturb them. With TONGQU_SHOTS set to a folder, pictures of what they see go there.
"""
import datetime, io, os, re, time, unicodedata

from pypdf import PdfReader

from browser import PASSWORD

NOW = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=8)))
SHOTS = os.environ.get("TONGQU_SHOTS")
WORDS = """const n = (text) => (text ?? "").normalize("NFKC").replace(/\\s+/g, " ").replace(/ ?\\*$/, "").trim();"""
FIND = "([selector, text]) => {" + WORDS + """
  for (const details of document.querySelectorAll("main details")) details.open = true;
  return [...document.querySelectorAll(selector)].findIndex((e) => e.checkVisibility() && n(e.textContent) === n(text)); }"""
# What a form asks for: the words beside each control, what stands in it, and whether it must be filled.
CONTROLS = "(form) => {" + WORDS + """
  return [...form.elements].filter((e) => e.name && !["hidden", "file", "submit"].includes(e.type) && e.tagName !== "BUTTON").map((e) => {
    const label = e.type === "radio" ? e.closest("fieldset")?.querySelector("legend") : e.labels?.[0];
    const said = (label?.querySelector("span") ?? label)?.textContent ?? e.getAttribute("aria-label") ?? "";
    return { name: e.name, type: e.type, label: n(said), value: e.value, isRequired: e.required || /\\*\\s*$/.test(said),
      options: [...(e.options ?? e.list?.options ?? [])].map((option) => option.value).filter(Boolean) }; }); }"""
FACTS = "() => {" + WORDS + """ return [...document.querySelectorAll("main dl div")].map((e) =>
  [n(e.querySelector("dt")?.firstChild?.textContent), e.querySelector("dd")?.innerText.trim() ?? ""]); }"""
TIMELINE = "() => {" + WORDS + """ return [...document.querySelectorAll("ol.timeline li")].map((e) =>
  ({ step: n(e.querySelector("b")?.textContent), at: e.querySelector("time")?.textContent ?? "", text: e.innerText })).reverse(); }"""


# Fonts lend one drawing to a character and to its radical; print says the radical.
RADICALS = str.maketrans("⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰", "民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙")


def plain(text):
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", str(text)).translate(RADICALS))


def moment(days=0, hours=0):
    return (NOW + datetime.timedelta(days=days, hours=hours)).strftime("%Y-%m-%dT%H:%M")


def day(days=0):
    return (NOW + datetime.timedelta(days=days)).strftime("%Y-%m-%d")


def chinese(date):
    year, month, number = (int(part) for part in date.split("-"))
    return f"{year}年{month}月{number}日"


class Person:
    """Somebody signed in, at a desk or with a phone."""

    faults, shown, papers = [], 0, {}

    def __init__(self, browser, base, login=None, name="", **window):
        self.base, self.login, self.name, self.is_phone = base, login, name, "is_mobile" in window
        self.page = page = browser.new_context(**({"viewport": {"width": 1440, "height": 900}, "locale": "zh-CN"} | window)).new_page()
        page.set_default_timeout(15000)
        # A refusal is an answer too: its status is not a fault of the page.
        page.on("console", lambda message: message.type == "error" and "status of 4" not in message.text and self.faults.append(f"{login} {page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(f"{login} {page.url}: {error}"))
        if login:
            page.goto(base + "/signin")
            page.fill("[name=login]", login)
            page.fill("[name=password]", PASSWORD)
            page.click("main form button")
            page.wait_for_url("**/console")

    def fail(self, what):
        self.shot("失败")
        raise AssertionError(f"{self.login} {self.page.url.removeprefix(self.base)}: {what}")

    def shot(self, name):
        if not SHOTS:
            return
        Person.shown += 1
        for width in [390] if self.is_phone else [1440, 390]:
            if not self.is_phone:
                self.page.set_viewport_size({"width": width, "height": 844 if width == 390 else 900})
            self.page.screenshot(path=os.path.join(SHOTS, f"{Person.shown:03d}-{name}-{width}.png"), full_page=True)
        if not self.is_phone:
            self.page.set_viewport_size({"width": 1440, "height": 900})

    def fits(self):
        if self.is_phone and (wide := self.page.evaluate("document.scrollingElement.scrollWidth")) > self.page.viewport_size["width"]:
            self.fail(f"the page is {wide} pixels wide on a phone")

    def open(self, address, name=None):
        answer = self.page.goto(address)
        self.fits()
        if name:
            self.shot(name)
        return answer

    # What is on the page

    def text(self):
        return self.page.locator("main").inner_text()

    def says(self, *words):
        text = plain(self.text())
        for word in words:
            if plain(word) not in text:
                self.fail(f"“{word}” is not on the page")

    def has(self, text, selector="main a, main button"):
        return self.page.evaluate(FIND, [selector, text]) >= 0

    def fact(self, label):
        """What stands beside a label, or nothing."""
        return next((value for name, value in self.page.evaluate(FACTS) if plain(name) == plain(label)), "")

    def state(self):
        return self.page.locator("main h1 .badge").inner_text()

    def clock(self, title, words):
        if plain(words) not in plain(self.fact(title)):
            self.fail(f"the clock “{title}” says “{self.fact(title)}”, not “{words}”")

    def timeline(self, *steps):
        """Every step with its person and time, in this order; others may stand between them."""
        taken = self.page.evaluate(TIMELINE)
        rest = iter(taken)
        for step, name in steps:
            if not any(plain(line["step"]) == plain(step) and name in line["text"] and re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d", line["at"]) for line in rest):
                self.fail(f"“{step}” by {name} is not in the timeline: {[line['step'] for line in taken]}")

    # Moving

    def press(self, text, selector="main a, main button"):
        index = self.page.evaluate(FIND, [selector, text])
        if index < 0:
            self.fail(f"there is nothing “{text}” to press")
        with self.page.expect_navigation():
            self.page.locator(selector).nth(index).click()
        self.fits()

    def go(self, system, resource):
        """To the list of a resource, by links."""
        self.open(self.base + "/console")
        self.press("业务系统", "nav a")
        self.press(system)
        self.press(resource)

    # Forms

    def fill(self, values, form):
        controls = form.evaluate(CONTROLS)
        known = {plain(control["label"]): control for control in controls}
        for label, value in values.items():
            if plain(label) not in known:
                self.fail(f"the form has no “{label}”: {[control['label'] for control in controls]}")
            self.put(form, known[plain(label)], value)
        given = {plain(label) for label in values}
        for control in controls:
            if control["isRequired"] and not control["value"] and plain(control["label"]) not in given:
                kind, options = control["type"], control["options"]
                self.put(form, control, options[0] if options else day() if kind == "date" else moment() if kind == "datetime-local" else "1" if kind == "number" else "走查填写")

    def put(self, form, control, value):
        field = form.locator(f"[name='{control['name']}']")
        if control["type"].startswith("select"):
            try:
                field.select_option(label=str(value), timeout=2000)
            except Exception:
                if value not in control["options"]:
                    self.fail(f"“{control['label']}” has no choice “{value}”")
                field.select_option(str(value))
        elif control["type"] == "radio":
            form.locator(f"label:has([name='{control['name']}'])", has_text=str(value)).click()
        elif control["type"] == "checkbox":
            field.set_checked(value in (True, "是"))
        else:
            field.fill(str(value))

    def form(self, button):
        """The form that a button of these words sends, with the button."""
        index = self.page.evaluate(FIND, ["main form button", button])
        if index < 0:
            self.fail(f"no form has a button “{button}”")
        pressed = self.page.locator("main form button").nth(index)
        return pressed.locator("xpath=ancestor::form"), pressed

    def send(self, button, values, note):
        form, pressed = self.form(button)
        self.fill(values | ({"办理意见": note} if note else {}), form)
        with self.page.expect_navigation() as answer:
            pressed.click()
        self.fits()
        return answer.value

    def step(self, title, values={}, note="", to=None, shot=None):
        """Takes a step of the record (or of the list) that is open; the record is open afterwards."""
        self.press(title)
        if shot:
            self.shot(f"{shot}-表单")
        self.send(title, values, note)
        if "/step/" in self.page.url or self.page.url.split("?")[0].endswith("/new"):
            alert = self.page.locator("main .alert")
            self.fail(f"“{title}” was refused: {alert.first.inner_text() if alert.count() else self.text()[:300]}")
        if to and plain(self.state()) != plain(to):
            self.fail(f"after “{title}” it is “{self.state()}”, not “{to}”")
        if shot:
            self.shot(shot)

    def refused(self, title, values, words, note="", shot=None):
        """The step is refused in these words, what was typed is kept, and the record stays open where it was."""
        back = self.page.url
        self.press(title)
        answer = self.send(title, values, note)
        alert = next((found.inner_text() for found in self.page.locator("main [role=alert], main .alert").all()), "")
        if answer.status < 400 or plain(words) not in plain(alert):
            self.fail(f"“{title}” should be refused with “{words}”; it says “{alert}”")
        kept = {plain(control["label"]): control["value"] for control in self.form(title)[0].evaluate(CONTROLS)}
        for label, value in values.items():
            if value not in ("是", "否") and kept.get(plain(label)) == "":
                self.fail(f"“{label}” was lost when “{title}” was refused")
        if shot:
            self.shot(shot)
        self.open(back)

    def closed(self, step, words="现在不能办理这个步骤"):
        """There is no way to a step that somebody else takes, by its address neither."""
        answer = self.open(f"{self.page.url.split('?')[0]}/step/{step}")
        if answer.status < 400 or words not in self.text():
            self.fail(f"the step {step} is not refused in words: {self.text()[:200]}")
        self.page.go_back()

    def attach(self, kind, path, place=""):
        """Attaches a file to the record that is open, with the place of the device where the page asks for it; returns the words of a refusal."""
        back = self.page.url
        form = self.page.locator("main form:has(input[type=file])").first
        name = os.path.basename(path)
        choice = form.locator("select")
        if choice.count():
            choice.first.select_option(label=kind)
        form.locator("input[type=file]").set_input_files(path)
        is_located = place and form.locator("[name=located]").count() > 0
        if is_located:
            form.locator("[name=located]").check()
        form.locator("button:not([type=button])").last.click()
        # Pictures may get another ending where they are made smaller.
        stem = re.compile(re.escape(name.rsplit(".", 1)[0]) + r"\.")
        for _ in range(150):
            if (row := self.page.locator("main tr", has_text=stem)).count():
                if is_located and place not in row.last.inner_text():
                    self.fail(f"the file has no place: {row.last.inner_text()}")
                self.fits()
                return ""
            if (alert := self.page.locator(".alert, main [role=alert], .uploads .poor-text")).count() and alert.first.inner_text().strip():
                words = alert.first.inner_text()
                self.open(back)
                return words
            time.sleep(0.1)
        self.fail(f"{name} was not attached")

    # Papers

    def issue(self, title):
        """Issues a document by hand; the record is open afterwards."""
        back = self.page.url
        form, pressed = self.form("制发")
        form.locator("select").select_option(label=title)
        with self.page.expect_navigation():
            pressed.click()
        self.open(back)

    def paper(self, public, title, *contents):
        """Opens a document of the record as its print page, prints it, verifies it as anybody may; the record is open afterwards."""
        back = self.page.url
        row = self.page.locator("main tr", has=self.page.locator(f"a[href*='/documents/']")).filter(has_text=re.compile(re.escape(title).replace(r"\(", "[(（]").replace(r"\)", "[)）]"))).last
        if not row.count():
            self.fail(f"“{title}” was not issued: {self.text()[-900:]}")
        number = row.locator("td").nth(1).inner_text().strip()
        with self.page.expect_navigation():
            row.locator("a").first.click()
        self.fits()
        body = self.page.content()
        text = plain(self.text())
        heading = self.page.locator("main h1").inner_text()
        code = re.search(r"/verify/([\w-]+)", body)
        if not code:
            self.fail(f"“{title}” has no verification code")
        if "{{" in body or "}}" in body:
            self.fail(f"“{title}” was not filled in whole")
        # Every paper names its kind; every line is in print as on the screen.
        wanted = [heading, number, code[1], *contents]
        self.shot(f"文书-{title}")
        data = self.page.pdf(format="A4", prefer_css_page_size=True, print_background=True)
        reader = PdfReader(io.BytesIO(data))
        printed = plain("".join(page.extract_text() for page in reader.pages))
        if SHOTS:
            with open(os.path.join(SHOTS, f"{Person.shown:03d}-{title}.pdf"), "wb") as out:
                out.write(data)
        for word in wanted:
            if plain(word) not in text:
                self.fail(f"“{title}” does not say “{word}”")
            if plain(word) not in printed:
                self.fail(f"“{title}” in print does not say “{word}”: {printed[:300]}")
        if not re.search(r"20\d\d年\d{1,2}月\d{1,2}日", printed):
            self.fail(f"“{title}” in print has no date")
        if (link := self.page.locator("a[download]")).count() and title == "行政处罚决定书":
            with self.page.expect_download() as download:
                link.click()
            kept = plain("".join(page.extract_text() for page in PdfReader(download.value.path()).pages))
            for word in wanted:
                if plain(word) not in kept:
                    self.fail(f"the PDF of “{title}” does not say “{word}”")
        if "回到记录" in printed or "{{" in printed:
            self.fail(f"“{title}” in print shows what belongs to the screen")
        public.open(f"{public.base}/verify/{code[1]}")
        public.says("内容未改动", title, number, chinese(day()) if chinese(day()) in public.text() else day())
        Person.papers.setdefault(title, []).append(number)
        self.open(back)
        return number
