#!/usr/bin/env python3
"""Writes docs/errors.md from the problems that the sources name. Run it after adding one; a test fails where a code is missing."""
import glob, os, re

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
codes = {}


def clean(text):
    text = re.sub(r"\\\((?:[^()]|\([^()]*(?:\([^()]*\))?[^()]*\))*\)", "…", text)
    return text.replace('\\"', '"').replace("|", "/")


for path in sorted(glob.glob(root + "/Sources/**/*.swift", recursive=True)):
    if "TestKit" in path:
        continue
    text = open(path, encoding="utf-8").read()
    for match in re.finditer(r'Problem\(\s*"([a-z_]+(?:\.[a-z_]+)?)"(.*?)(?=Problem\(|\Z)', text, re.S):
        body = match.group(2)[:1500]
        zh = re.search(r'zh:\s*"((?:[^"\\]|\\.)*)"', body)
        en = re.search(r'en:\s*"((?:[^"\\]|\\.)*)"', body)
        status = re.search(r"status:\s*(\d+)", body[:200])
        codes.setdefault(match.group(1), (status.group(1) if status else "400", clean(zh.group(1)) if zh else "", clean(en.group(1)) if en else ""))
head = """# Errors

Every error has one shape: a stable code, a message that says what happened and why, particulars that are safe to show, and a hint what to do.
The API answers `application/problem+json` (RFC 9457); pages show the same; commands print it and exit with 2. Messages never hold data of a record.

```json
{"type":"urn:tongqu:problem:load.busy","code":"load.busy","title":"该资源正在加载另一个文件。","status":409,"hint":"请等它完成后再试。"}
```

| code | status | 中文 | English |
|---|---|---|---|
"""
with open(root + "/docs/errors.md", "w", encoding="utf-8") as out:
    out.write(head + "".join(f"| `{c}` | {' | '.join(codes[c])} |\n" for c in sorted(codes)))
