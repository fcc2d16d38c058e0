"""Drives the built binary with a real browser: the whole path from a file to an open resource, in two languages and two widths.

usage: browser.py BINARY
Prints `ok NAME` for each test; exits with 1 at the first that fails.
"""
import http.client, os, shutil, signal, socket, subprocess, sys, tempfile, time

import openpyxl
from playwright.sync_api import sync_playwright

PASSWORD = "Browser-Pass-2026"
CSV = "编号,车牌号,联系电话,车道数,经度,纬度\n" + "".join(
    f"K{i},冀A{10000 + i},139{10000000 + i},{'x' if i == 7 else i % 6 + 1},114.{400000 + i * 977},38.{10000 + i * 613:06d}\n" for i in range(1, 61))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    def __init__(self, binary, folder, port):
        environment = dict(os.environ, TONGQU_DEMO_PASSWORD=PASSWORD, TONGQU_LOG_LEVEL="warning", TONGQU_LANG="zh")
        self.port = port
        self.process = subprocess.Popen([binary, "serve", "--data", folder, "--port", str(port), "--demo"], env=environment, stderr=subprocess.DEVNULL)
        for _ in range(400):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the node did not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, "SIGTERM should end the node with 0"


def main(binary):
    folder = tempfile.mkdtemp(prefix="tongqu-browser-")
    node = Node(binary, os.path.join(folder, "node"), free_port())
    base = f"http://127.0.0.1:{node.port}"
    file = os.path.join(folder, "卡口点位.csv")
    with open(file, "w", encoding="gb18030") as out:
        out.write(CSV)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"])
            run(browser, base, file)
            browser.close()
        node.stop()
        print("ok stops_cleanly_on_sigterm")
    finally:
        node.process.kill()
        shutil.rmtree(folder)


def run(browser, base, file):
    faults = []

    def page(width=1440, height=900, locale="zh-CN"):
        opened = browser.new_context(viewport={"width": width, "height": height}, locale=locale).new_page()
        opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: faults.append(str(error)))
        return opened

    def sign_in(login):
        opened = page()
        opened.goto(base + "/signin")
        opened.fill("[name=login]", login)
        opened.fill("[name=password]", PASSWORD)
        opened.click("main form button")
        opened.wait_for_url("**/console")
        return opened

    def quiet(name):
        assert not faults, f"{name}: {faults}"
        print("ok", name)

    public = page()
    public.goto(base + "/")
    assert public.locator(".entry").count() >= 3
    public.fill("main [name=q]", "卡口")
    public.press("main [name=q]", "Enter")
    public.wait_for_url("**/search**")
    public.click(".entry a")
    public.wait_for_selector("#map[data-ready=true]", timeout=20000)
    assert public.locator("#map canvas").bounding_box()["width"] > 500
    quiet("public_finds_a_resource_and_its_map")

    with public.expect_download() as download:
        public.click("text=CSV")
    assert "id,name" in open(download.value.path(), encoding="utf-8-sig").readline()
    quiet("public_downloads_csv")

    english = page(locale="en-US")
    english.goto(base + "/?lang=en")
    assert "Find public transport data" in english.content()
    english.goto(base + "/search?q=%E5%8D%A1%E5%8F%A3")
    assert "resources" in english.locator("[role=status]").inner_text()
    quiet("english_is_complete_on_public_pages")

    for path in ["/", "/search", "/resources/301001-000001", "/signin"]:
        phone = page(390, 844)
        phone.goto(base + path)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, path
    quiet("nothing_overflows_a_phone")

    clerk = sign_in("clerk")
    clerk.goto(base + "/console/upload")
    clerk.set_input_files("[name=file]", file)
    clerk.check("[name=no_secrets]")
    clerk.click("form[data-upload] button")
    clerk.wait_for_url("**/console/uploads/**")
    assert "GB18030" in clerk.content()
    clerk.fill("main [name=name]", "浏览器测试卡口")
    clerk.fill("[name=summary]", "浏览器测试所用的虚构卡口点位,六十行,一行有误。")
    for select in clerk.locator("select[name$=_sharing]").all():
        select.select_option("1")
    clerk.locator("select[name=f3_type]").select_option("integer")
    clerk.click("form[action$='/create'] button")
    clerk.wait_for_url("**/loads/**", timeout=20000)
    assert "59" in clerk.content() and "下载全部问题行" in clerk.content()
    quiet("a_gbk_file_is_checked_and_loaded")

    clerk.click("text=回到条目")
    clerk.wait_for_selector("button[value=submit]")
    entry = clerk.url
    clerk.click("button[value=submit]")
    clerk.wait_for_selector("[aria-current=step]:has-text('部门审核中')")
    reviewer = sign_in("reviewer")
    reviewer.goto(entry)
    reviewer.click("button[value=department_yes]")
    authority = sign_in("authority")
    authority.goto(entry)
    authority.click("button[value=authority_yes]")
    authority.wait_for_selector("[aria-current=step]:has-text('已发布')")
    quiet("three_people_publish_an_entry")

    clerk.goto(entry)
    clerk.click("text=申请开放")
    clerk.fill("[name=reason]", "便民出行")
    clerk.click("main form button")
    clerk.wait_for_url("**/console/openings/*")
    opening = clerk.url
    for person, answer in [(reviewer, "secrecy_yes"), (authority, "authority_yes")]:
        person.goto(opening)
        person.fill("[name=note]", "经审查,同意")
        person.click(f"button[value={answer}]")
    slug = entry.rstrip("/").split("/")[-1].split("?")[0]
    public.goto(f"{base}/resources/{slug}")
    text = public.content()
    assert "冀A***0" in text and "冀A10001" not in text and "13910000001" not in text
    quiet("the_public_sees_it_masked")

    auditor = sign_in("auditor")
    auditor.goto(base + "/console/evidence")
    auditor.click("text=验证整条链")
    auditor.wait_for_selector("text=存证链完整")
    quiet("the_auditor_verifies_the_chain")

    # The catalogue's workbook: exported, filled in with a spreadsheet library as a clerk would, imported, submitted together.
    clerk.goto(base + "/console/entries")
    with clerk.expect_download() as download:
        clerk.click("text=导出工作簿")
    exported = os.path.join(os.path.dirname(file), "导出.xlsx")
    download.value.save_as(exported)
    book = openpyxl.load_workbook(exported)
    sheet = book.active
    last = sheet.max_row
    assert sheet.cell(last, 13).value and sheet.merged_cells.ranges, "items and merged cells are there"
    start = last + 1
    for entry_number in range(6):
        first = last + 1 + entry_number * 3
        for item in range(3):
            values = ["3", "01", "004", None, f"浏览器批量{entry_number}号客运数据", None, "天津市公路事业发展服务中心", "信息处", None,
                      "浏览器测试批量导入所用的虚构条目。", "电子表格", "xlsx"] if item == 0 else [None] * 12
            values += [f"信息项{item}", "字符型C", 20, "无条件共享", None, "共享平台", "文件", "否", None]
            values += ["每月", None, None, "非涉密", "省级"] if item == 0 else []
            for column, value in enumerate(values, 1):
                sheet.cell(first + item, column).value = value
        for column in [*range(1, 13), *range(22, 27)]:
            sheet.merge_cells(start_row=first, end_row=first + 2, start_column=column, end_column=column)
    edited = os.path.join(os.path.dirname(file), "目录.xlsx")
    sheet.cell(start + 1, 14).value = "怪型"
    book.save(edited)

    def bring(path):
        clerk.goto(base + "/console/import")
        clerk.set_input_files("[name=file]", path)
        clerk.check("[name=no_secrets]")
        clerk.click("form[data-upload] button")
        clerk.wait_for_url("**/console/import/*")

    bring(edited)
    assert "没有导入任何条目" in clerk.content() and "怪型" in clerk.content()
    sheet.cell(start + 1, 14).value = "整型I"
    book.save(edited)
    bring(edited)
    clerk.click("text=全部导入为草稿")
    clerk.click("text=查看草稿并批量提交")
    clerk.fill("main [name=q]", "浏览器批量")
    clerk.click("form[role=search] button")
    clerk.wait_for_selector("text=共 6 条")
    clerk.check("[data-all] input")
    clerk.click(".bulk button")
    clerk.wait_for_selector("text=已处理 6 条")
    quiet("a_workbook_comes_in_and_is_submitted_together")

    reviewer.goto(base + "/console/entries?stage=department&q=%E6%B5%8F%E8%A7%88%E5%99%A8%E6%89%B9%E9%87%8F")
    reviewer.check("tbody tr:nth-child(1) input")
    reviewer.select_option("[name=step]", "department_no")
    reviewer.click(".bulk button")
    reviewer.wait_for_selector(".alert:has-text('退回须写明理由')")
    reviewer.check("[data-all] input")
    reviewer.select_option("[name=step]", "department_yes")
    reviewer.click(".bulk button")
    reviewer.wait_for_selector("text=已处理 6 条")
    reviewer.goto(base + "/console/ledger")
    assert "总账本" in reviewer.content() and "天津市公路事业发展服务中心" in reviewer.content()
    quiet("a_reviewer_answers_many_and_sees_the_ledger")

    # Files that arrive in the drop folder are read without hands; the run shows its load.
    drop = os.path.join(os.path.dirname(file), "node", "drop")
    with open(os.path.join(drop, "traffic-0001.csv"), "w", encoding="utf-8") as out:
        out.write("station,station_name,route,hour,small,coach,truck,total,speed\nJD999,浏览器站,G104,2026-11-20 08:00:00,10,2,3,15,60\n")
    os.utime(out.name, (time.time() - 600,) * 2)
    steward = sign_in("steward")
    steward.goto(base + "/console/sources")
    steward.click("text=交通量调查站小时报送")
    steward.click("text=试连")
    steward.wait_for_selector("text=traffic-0001.csv")
    steward.click("text=立即归集")
    for _ in range(60):
        steward.goto(steward.url.split("?")[0])
        if steward.locator("tbody tr:has-text('完成')").count():
            break
        time.sleep(0.3)
    assert "traffic-0001.csv" in steward.locator("tbody tr").first.inner_text(), steward.locator("tbody").inner_text()
    steward.goto(base + "/console/sources/new?kind=rest")
    steward.fill("[name=name]", "坏来源")
    steward.fill("[name=resource]", "301001/000002")
    steward.fill("[name=set_address]", "ftp://nowhere")
    steward.fill("[name=schedule]", "sometimes")
    with steward.expect_response(lambda answer: answer.request.method == "POST"):
        steward.click("main form button")
    assert "调度写法无法识别" in steward.content()
    faults.clear()  # the refused form's 400
    quiet("a_source_is_tried_read_and_shows_its_runs")

    # A remark of the public reaches the owner and is shown with its answer.
    public.goto(base + "/resources/301001-000001")
    public.click("summary:has-text('提交反馈')")
    public.select_option("#feedback [name=v_kind]", "error")
    public.fill("#feedback [name=v_text]", "浏览器测试:<b>ZK10001</b> 的方向请核对")
    public.click("#feedback form button")
    public.wait_for_selector("text=已提交，提供方会答复")
    number = public.inner_text("#feedback .good-text").split("：")[-1]
    assert number.startswith("FK")
    assert "方向请核对" not in public.content()
    clerk.goto(base + "/console")
    clerk.click("dt:has-text('待答复反馈') + dd a")
    clerk.click(f"a:text-is('{number}')")
    assert "方向请核对" in clerk.content() and clerk.locator("dd a[href='/resources/301001-000001']").count() == 1
    clerk.click("a.button:text-is('答复')")
    clerk.fill("[name=v_answer]", "已核对,方向无误。")
    clerk.click("main button:text-is('答复')")
    clerk.wait_for_selector("text=已答复")
    public.goto(base + "/resources/301001-000001")
    assert "已核对,方向无误" in public.content() and public.locator("#feedback b:has-text('ZK10001')").count() == 0
    quiet("feedback_reaches_the_owner_and_is_answered")

    # Standards: a steward adds a code list and an element; a clerk's schema is completed by it, and compared with it.
    steward.goto(base + "/console/standards")
    lists = steward.locator("form:has([name=values])")
    for name, value in [("id", "browser-kind"), ("name", "浏览器类别"), ("version", "2026"), ("from", "2026-01-01"), ("values", "1,甲,first\n2,乙,second")]:
        lists.locator(f"[name={name}]").fill(value)
    lists.locator("button").click()
    steward.wait_for_selector("h1:has-text('浏览器类别')")
    steward.goto(base + "/console/standards")
    elements = steward.locator("form:has([name=semantic])")
    for name, value in [("id", "TB0001"), ("name", "浏览器类别代码"), ("max_length", "2")]:
        elements.locator(f"[name={name}]").fill(value)
    elements.locator("[name=codes]").select_option("browser-kind")
    elements.locator("button").click()
    steward.wait_for_selector("h1:has-text('浏览器类别代码')")
    clerk.goto(base + "/console/entries?stage=draft")
    clerk.locator("tbody a:has-text('占道施工')").click()
    clerk.fill("[name=f0_element]", "TB0001")
    clerk.click("text=保存草稿 >> nth=0")
    clerk.wait_for_selector("text=取值应来自代码集")
    clerk.click("text=按数据元补全并保存")
    clerk.wait_for_selector("h1")
    assert "取值应来自代码集" not in clerk.content()
    public.goto(base + "/standards?kind=code_list")
    assert "浏览器类别" in public.content()
    quiet("a_schema_is_completed_by_its_data_elements")

    # Tables of thousands: a view under a name, and rows by keyboard.
    clerk.goto(base + "/console/entries?state=published&order=score")
    clerk.fill("[aria-label='视图名称']", "最差在前")
    clerk.click("text=保存为视图")
    clerk.wait_for_selector("a[aria-current=true]:has-text('最差在前')")
    clerk.keyboard.press("j")
    clerk.keyboard.press("j")
    assert clerk.evaluate("document.activeElement.closest('tr').rowIndex") == 2
    clerk.keyboard.press("Enter")
    clerk.wait_for_url("**/console/entries/*")
    quiet("views_are_kept_and_rows_are_walked_by_keyboard")

    clerk.goto(base + "/console/quality")
    clerk.click("text=天津市公路事业发展服务中心")
    clerk.wait_for_selector("h2:has-text('怎样提分')")
    assert "生产方" in clerk.content() and clerk.locator("tbody tr").count() >= 1
    public.goto(base + "/organisations")
    public.click("text=天津港(集团)有限公司")
    public.wait_for_selector("text=共 2 个资源")
    public.goto(base + "/openlist")
    assert public.locator("tbody tr").count() > 20
    quiet("quality_organisations_and_the_open_list")

    administrator = sign_in("sysadmin")
    administrator.goto(base + "/console/organisations")
    administrator.fill("main form.stack >> nth=-1 >> [name=name]", "浏览器测试港务局")
    administrator.fill("main form.stack >> nth=-1 >> [name=division]", "120116")
    administrator.click("text=建立")
    administrator.wait_for_selector("th:has-text('浏览器测试港务局')")
    administrator.goto(base + "/console/settings")
    administrator.fill("[name=day]", "2026-12-31")
    administrator.click("form.row button")
    administrator.wait_for_selector("td:has-text('2026-12-31')")
    quiet("organisations_and_working_days_are_kept")
    administrator.goto(base + "/console/backups")
    administrator.click("text=立即备份")
    administrator.wait_for_selector("td:has-text('已验证')", timeout=20000)
    administrator.click("text=恢复演练")
    administrator.wait_for_selector("td:has-text('RTO')", timeout=20000)
    quiet("the_administrator_backs_up_and_drills")

    for path in ["/console", "/console/entries", "/console/import", "/console/ledger", "/console/quality", "/console/sources", "/console/standards", "/systems/feedback/public_feedback", "/systems/feedback/public_feedback/new", "/password"]:
        clerk.set_viewport_size({"width": 390, "height": 844})
        clerk.goto(base + path)
        assert clerk.evaluate("document.documentElement.scrollWidth") <= 390, path
        clerk.set_viewport_size({"width": 1440, "height": 900})
        clerk.goto(base + path + "?lang=en")
        heading = clerk.locator("main h1").inner_text()
        assert path == "/console" or not any("\u4e00" <= letter <= "\u9fff" for letter in heading), heading
        clerk.goto(base + path + "?lang=zh")
    quiet("the_console_fits_a_phone_and_speaks_english")

    # A system's form says what an identifier is while it is filled in; an officer's phone fills in its place and sends a photo made smaller.
    tasks = base + "/systems/enforcement/inspection_tasks"
    chief = sign_in("chief")
    chief.goto(tasks + "/new?step=plan")
    chief.fill("[name=v_enterprise_code]", "911201160000000001")
    chief.press("[name=v_enterprise_code]", "Tab")
    chief.wait_for_selector("#finding_v_enterprise_code:has-text('校验码应为')")
    assert chief.get_attribute("[name=v_enterprise_code]", "aria-invalid") == "true"
    chief.goto(tasks + "/map")
    chief.wait_for_selector("#map[data-ready=true]", timeout=20000)
    photo = os.path.join(os.path.dirname(file), "现场.png")
    large = page(2400, 1600)
    large.goto(base + "/")
    large.screenshot(path=photo)
    officer = sign_in("officer1")
    officer.context.grant_permissions(["geolocation"])
    officer.context.set_geolocation({"longitude": 117.321234, "latitude": 39.112345})
    officer.set_viewport_size({"width": 390, "height": 844})
    officer.goto(tasks + "?f_state=planned")
    officer.click("tbody a")
    officer.wait_for_selector("form[data-photo] [name=located]")
    code = officer.locator("div:has(> dt:text-is('入企检查码')) dd").inner_text()
    record = officer.url
    officer.goto(record + "/step/arrive")
    officer.fill("[name=v_scanned_code]", code)
    officer.fill("[name=v_place]", "浏览器测试现场")
    officer.click("text=填入本机位置")
    officer.wait_for_function("document.querySelector('[name=v_longitude]').value === '117.321234'")
    officer.click("main form button:not([type=button])")
    officer.wait_for_url("**/inspection_tasks/*")
    officer.goto(record)
    officer.check("[name=located]")
    officer.set_input_files("[name=file]", photo)
    officer.click("form[data-photo] button")
    officer.wait_for_selector("tr:has(a[href*='/attachments/']):has-text('117.32123')", timeout=20000)
    shape = officer.evaluate("(async () => (await createImageBitmap(await (await fetch(document.querySelector(\"td a[href*='/attachments/']\").href)).blob())).width)()")
    assert shape == 2000, shape
    assert officer.evaluate("document.documentElement.scrollWidth") <= 390
    quiet("forms_are_checked_and_photos_are_located")

    public.goto(base + "/")
    public.keyboard.press("Tab")
    assert public.evaluate("document.activeElement.className") == "skip"
    assert public.evaluate("document.querySelectorAll('img:not([alt])').length") == 0
    quiet("keyboards_reach_the_content")


if __name__ == "__main__":
    main(sys.argv[1])
