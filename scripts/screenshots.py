"""Makes the pictures of the README from the demonstration: scripts/screenshots.py BINARY

Needs what ./test installs (.cache/venv/bin/python, Chromium). Writes docs/images/*.png.
"""
import os, shutil, sys, tempfile

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(root, "Tests", "Browser"))
from browser import PASSWORD, Node, free_port
from playwright.sync_api import sync_playwright


def main(binary):
    folder = tempfile.mkdtemp(prefix="tongqu-pictures-")
    target = os.path.join(root, "docs", "images")
    os.makedirs(target, exist_ok=True)
    node = Node(binary, os.path.join(folder, "node"), free_port())
    base = f"http://127.0.0.1:{node.port}"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"])
            page = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN").new_page()
            page.goto(base + "/")
            page.screenshot(path=os.path.join(target, "home.png"))
            page.goto(base + "/resources/301001-000001")
            page.wait_for_selector("#map[data-ready=true]")
            page.evaluate("document.getElementById('map').scrollIntoView({ block: 'center' })")
            page.wait_for_timeout(500)
            page.screenshot(path=os.path.join(target, "resource.png"))
            page.goto(base + "/signin")
            page.fill("[name=login]", "clerk")
            page.fill("[name=password]", PASSWORD)
            page.click("main form button")
            page.wait_for_url("**/console")
            page.screenshot(path=os.path.join(target, "work.png"))
            browser.close()
    finally:
        node.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1])
