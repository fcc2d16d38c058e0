#!/usr/bin/env python3
"""A catalogue of N synthetic entries for end-to-end tests; Python's standard library only.

    serve.py [--port 8899] [--entries 250] [--size 100]

Prints `listening on http://127.0.0.1:PORT`; port 0 takes a free one. Pages:

    /api/3/action/package_search?start=0&rows=100   CKAN (fq, q are ignored)
    /api/3/action/package_list                      CKAN, names
    /api/3/action/package_show?id=NAME              CKAN, one package
    /catalog.jsonld?page=1                          DCAT as JSON-LD, hydra paging
    /data.json                                      DCAT-US 1.1
    /list.csv                                       CSV, Chinese header, UTF-8 with a mark; ?encoding=gb18030
    /api/1/datasets/?page=1                         udata
    /data/ID.csv                                    the data of an entry

Controls (POST, or GET for a shell), all answer the state as JSON:

    /change?id=3[&title=…]   entry 3 gets another title, summary and date
    /remove?id=3             entry 3 is gone;  /restore?id=3 brings it back
    /add?count=5             more entries at the end
    /fail?times=2[&status=500]   the next n pages answer so
    /hang?times=1[&seconds=30]   the next n pages say nothing for so long
    /garbage?times=1[&kind=html]   html, json (cut off), empty, binary, deep, wrong (JSON of another shape), slow (a byte a second)
    /hostile?on=1            entries 0 to 4 carry script tags, javascript: links, wrong types, no title, a doubled identifier
    /elsewhere?on=1          next links lead to another host;  /loop?on=1  the next link leads to the same page
    /reset                   as at the start
    /state                   the state and how often each page was asked for
"""
import argparse, csv, io, json, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

THEMES = ["公路", "水路", "公交", "轨道", "物流"]
FREQUENCIES = [
    ("daily", "DAILY", "R/P1D", "每日"), ("weekly", "WEEKLY", "R/P1W", "每周"), ("monthly", "MONTHLY", "R/P1M", "每月"),
    ("annual", "ANNUAL", "R/P1Y", "每年"), ("irregular", "IRREG", "irregular", "不定期"),
]
PAGES = ("/api/", "/catalog.jsonld", "/data.json", "/list.csv")


class State:
    def __init__(self, count, size):
        self.lock = threading.Lock()
        self.first, self.size = count, size
        self.reset()

    def reset(self):
        self.count, self.changes, self.titles, self.removed = self.first, {}, {}, set()
        self.pending, self.flags, self.asked = [], set(), {}

    def json(self):
        return {
            "entries": self.count - len(self.removed), "changed": sorted(self.changes), "removed": sorted(self.removed),
            "pending": [p[0] for p in self.pending], "flags": sorted(self.flags), "asked": self.asked,
        }

    def entries(self):
        return [self.entry(i) for i in range(self.count) if i not in self.removed]

    def entry(self, i):
        version = self.changes.get(i, 0)
        return {
            "i": i, "id": "00000000-0000-4000-8000-%012d" % i, "name": "dataset-%d" % i,
            "title": self.titles.get(i) or "交通数据集 %d%s" % (i, "(第 %d 版)" % (version + 1) if version else ""),
            "summary": "第 %d 个数据集：%s线路、站点与时刻。\nVersion %d of dataset %d." % (i, THEMES[i % 5], version + 1, i),
            "keywords": [THEMES[i % 5], "示例"], "theme": THEMES[i % 5], "publisher": "示例交通局 %d" % (i % 7),
            "issued": "2024-%02d-%02d" % (i % 12 + 1, i % 28 + 1), "modified": "2025-%02d-%02dT08:%02d:00" % (i % 12 + 1, i % 28 + 1, version % 60),
            "frequency": FREQUENCIES[i % 5],
        }


def ckan(entry, here):
    link = "%s/data/%d.csv" % (here, entry["i"])
    package = {
        "id": entry["id"], "name": entry["name"], "title": entry["title"], "notes": entry["summary"], "private": False, "state": "active",
        "type": "dataset", "author": "数据处", "author_email": "data@example.org", "maintainer": "", "license_id": "cc-by", "license_title": "CC BY 4.0",
        "license_url": "https://creativecommons.org/licenses/by/4.0/", "metadata_created": entry["issued"] + "T00:00:00",
        "metadata_modified": entry["modified"] + ".000001", "organization": {"name": "org", "title": entry["publisher"]},
        "tags": [{"name": k, "display_name": k, "state": "active"} for k in entry["keywords"]], "groups": [{"name": "g", "title": entry["theme"]}],
        "extras": [{"key": "frequency", "value": entry["frequency"][0]}, {"key": "spatial_text", "value": "杭州市"}],
        "resources": [
            {"id": entry["id"][:-1] + "f", "name": "CSV", "format": "CSV", "url": link, "mimetype": "text/csv", "size": 64, "state": "active"},
            {"id": entry["id"][:-1] + "e", "name": "页面", "format": "HTML", "url": here + "/dataset/" + entry["name"], "state": "active"},
        ],
    }
    return package


def hostile(packages):
    for number, package in enumerate(packages[:5]):
        if number == 0:
            package["title"] = "<script>alert(1)</script><b>脚本</b> &lt;img src=x onerror=alert(1)&gt;"
            package["notes"] = "<p onclick=alert(1)>段落</p><style>x</style>"
        if number == 1:
            package["url"] = "javascript:alert(1)"
            package["resources"] = [{"url": "javascript:alert(1)"}, {"url": "file:///etc/passwd"}, {"url": "http://169.254.169.254/"}]
        if number == 2:
            for key in list(package):
                if key not in ("id", "title"):
                    package[key] = {"x": [1, None, {"y": True}]}
        if number == 3:
            package["title"] = package["name"] = None
        if number == 4:
            package["id"] = packages[0]["id"]
    return packages


def dcat(entry, here):
    about = here + "/dataset/" + entry["name"]
    authority = "http://publications.europa.eu/resource/authority/"
    return [
        {
            "@id": about, "@type": "dcat:Dataset", "dct:identifier": entry["id"], "dct:title": [{"@value": entry["title"], "@language": "zh"}],
            "dct:description": {"@value": entry["summary"], "@language": "zh"}, "dcat:keyword": [{"@value": k, "@language": "zh"} for k in entry["keywords"]],
            "dct:issued": {"@value": entry["issued"], "@type": "xsd:date"}, "dct:modified": {"@value": entry["modified"] + "Z", "@type": "xsd:dateTime"},
            "dct:publisher": {"@type": "foaf:Agent", "foaf:name": entry["publisher"]}, "dcat:landingPage": {"@id": about},
            "dct:accrualPeriodicity": {"@id": authority + "frequency/" + entry["frequency"][1]}, "dcat:theme": {"@id": authority + "data-theme/TRAN"},
            "dcat:distribution": {"@id": about + "#csv"},
        },
        {
            "@id": about + "#csv", "@type": "dcat:Distribution", "dct:title": "CSV", "dcat:accessURL": {"@id": about},
            "dcat:downloadURL": {"@id": "%s/data/%d.csv" % (here, entry["i"])}, "dct:format": {"@id": authority + "file-type/CSV"},
            "dcat:mediaType": {"@id": "https://www.iana.org/assignments/media-types/text/csv"}, "dcat:byteSize": {"@value": "64", "@type": "xsd:decimal"},
            "dct:license": {"@id": "https://creativecommons.org/licenses/by/4.0/"},
        },
    ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        self.body = self.rfile.read(length).decode("utf-8", "replace")
        self.answer()

    def do_GET(self):
        self.body = ""
        self.answer()

    def send(self, content, kind="application/json", status=200):
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def answer(self):
        place = urlsplit(self.path)
        query = {k: v[-1] for k, v in parse_qs(self.body + "&" + place.query).items()}
        here = "http://" + (self.headers.get("host") or "127.0.0.1")
        state = self.state
        with state.lock:
            if self.control(place.path, query):
                return self.send(state.json())
            trouble = None
            if place.path.startswith(PAGES):
                state.asked[place.path] = state.asked.get(place.path, 0) + 1
                if state.pending:
                    trouble = state.pending[0]
                    state.pending[0] = (trouble[0], trouble[1] - 1, trouble[2])
                    if state.pending[0][1] <= 0:
                        state.pending.pop(0)
        if trouble and self.trouble(*trouble):
            return
        with state.lock:
            entries = state.entries()
        self.page(place.path, query, here, entries)

    def control(self, path, query):
        state, number = self.state, int(query.get("id", -1))
        times = int(query.get("times", 1))
        if path == "/state":
            return True
        if path == "/reset":
            state.reset()
        elif path == "/change":
            state.changes[number] = state.changes.get(number, 0) + 1
            if "title" in query:
                state.titles[number] = query["title"]
        elif path == "/remove":
            state.removed.add(number)
        elif path == "/restore":
            state.removed.discard(number)
        elif path == "/add":
            state.count += int(query.get("count", 1))
        elif path == "/fail":
            state.pending.append(("fail", times, int(query.get("status", 500))))
        elif path == "/hang":
            state.pending.append(("hang", times, float(query.get("seconds", 30))))
        elif path == "/garbage":
            state.pending.append(("garbage", times, query.get("kind", "html")))
        elif path in ("/hostile", "/elsewhere", "/loop"):
            (state.flags.add if query.get("on", "1") != "0" else state.flags.discard)(path[1:])
        else:
            return False
        return True

    def trouble(self, kind, _, detail):
        """Answers wrongly; false where the page follows all the same."""
        if kind == "fail":
            self.send({"error": "out of order"}, status=detail)
            return True
        if kind == "hang":
            time.sleep(detail)
            return False
        if detail == "slow":
            self.send_response(200)
            self.send_header("content-length", "1000")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(1)
            return True
        bodies = {
            "html": ("<!doctype html><html><body>请登录</body></html>", "text/html"), "json": ('{"success": true, "result": {"count": 3, "results": [{"id"', None),
            "empty": ("", None), "binary": (bytes(range(256)) * 16, "application/octet-stream"), "deep": ("[" * 100_000, None),
            "wrong": ({"hello": ["world"]}, None),
        }
        body, mime = bodies.get(detail, bodies["html"])
        self.send(body, mime or "application/json")
        return True

    def page(self, path, query, here, entries):
        flags, size = self.state.flags, self.state.size
        number = max(1, int(query.get("page", 1)))
        part = entries[(number - 1) * size:number * size]
        other = "http://elsewhere.invalid" if "elsewhere" in flags else here
        following = number if "loop" in flags else number + 1
        has_next = number * size < len(entries)
        if path == "/api/3/action/package_search":
            start, rows = int(query.get("start", 0)), min(int(query.get("rows", 10)), 1000)
            packages = [ckan(e, here) for e in entries[start:start + rows]]
            packages = hostile(packages) if "hostile" in flags and start == 0 else packages
            self.send({"help": here + "/api/3/action/help_show?name=package_search", "success": True,
                       "result": {"count": len(entries), "sort": "score desc", "results": packages}})
        elif path == "/api/3/action/package_list":
            self.send({"help": "", "success": True, "result": [e["name"] for e in entries]})
        elif path == "/api/3/action/package_show":
            found = [e for e in entries if query.get("id") in (e["id"], e["name"])]
            if found:
                return self.send({"success": True, "result": ckan(found[0], here)})
            self.send({"success": False, "error": {"__type": "Not Found Error", "message": "Not found"}}, status=404)
        elif path == "/catalog.jsonld":
            view = {"@id": here + "/catalog.jsonld?page=%d" % number, "@type": "hydra:PagedCollection",
                    "hydra:totalItems": {"@value": str(len(entries)), "@type": "xsd:integer"}}
            if has_next:
                view["hydra:nextPage"] = {"@id": other + "/catalog.jsonld?page=%d" % following}
            spaces = {"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "foaf": "http://xmlns.com/foaf/0.1/",
                      "hydra": "http://www.w3.org/ns/hydra/core#", "xsd": "http://www.w3.org/2001/XMLSchema#"}
            whole = {"@id": here + "/catalog", "@type": "dcat:Catalog", "dcat:dataset": [{"@id": here + "/dataset/" + e["name"]} for e in part]}
            nodes = [n for e in part for n in dcat(e, here)]
            self.send({"@context": spaces, "@graph": [whole] + nodes + [view]}, "application/ld+json")
        elif path == "/data.json":
            self.send({"conformsTo": "https://project-open-data.cio.gov/v1.1/schema", "dataset": [
                {"identifier": e["id"], "title": e["title"], "description": e["summary"], "keyword": e["keywords"], "theme": [e["theme"]], "modified": e["modified"] + "Z",
                 "issued": e["issued"], "publisher": {"@type": "org:Organization", "name": e["publisher"]}, "accrualPeriodicity": e["frequency"][2],
                 "contactPoint": {"fn": "数据处", "hasEmail": "mailto:data@example.org"}, "accessLevel": "public", "license": "https://creativecommons.org/licenses/by/4.0/",
                 "landingPage": here + "/dataset/" + e["name"],
                 "distribution": [{"title": "CSV", "downloadURL": "%s/data/%d.csv" % (here, e["i"]), "mediaType": "text/csv", "format": "CSV"}]} for e in entries]})
        elif path == "/list.csv":
            out = io.StringIO()
            rows = csv.writer(out)
            rows.writerow(["数据集编号", "数据集名称", "数据集描述", "关键词", "提供机构", "更新频率", "主题分类", "发布日期", "更新日期", "文件格式", "数据下载网址"])
            for e in entries:
                rows.writerow([e["id"], e["title"], e["summary"], ";".join(e["keywords"]), e["publisher"], e["frequency"][3], e["theme"], e["issued"], e["modified"],
                               "CSV", "%s/data/%d.csv" % (here, e["i"])])
            self.send(out.getvalue().encode(query.get("encoding", "utf-8-sig")), "text/csv")
        elif path == "/api/1/datasets/":
            self.send({"data": [
                {"id": e["id"], "title": e["title"], "description": e["summary"], "tags": e["keywords"], "frequency": e["frequency"][0], "created_at": e["issued"],
                 "last_modified": e["modified"] + "Z", "organization": {"name": e["publisher"]}, "license": "cc-by", "page": here + "/dataset/" + e["name"], "private": False,
                 "resources": [{"title": "CSV", "url": "%s/data/%d.csv" % (here, e["i"]), "format": "csv", "mime": "text/csv", "filesize": 64}]} for e in part],
                "next_page": other + "/api/1/datasets/?page=%d" % following if has_next else None, "page": number, "page_size": size, "total": len(entries)})
        elif path.startswith("/data/"):
            self.send("id,name\n1,示例\n", "text/csv")
        elif path.startswith("/dataset/"):
            self.send("<!doctype html><title>dataset</title>", "text/html")
        else:
            self.send({"error": "not found"}, status=404)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8899)
    parser.add_argument("--entries", type=int, default=250)
    parser.add_argument("--size", type=int, default=100, help="entries of a page of DCAT and udata")
    options = parser.parse_args()
    Handler.state = State(options.entries, options.size)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    print("listening on http://127.0.0.1:%d" % server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
