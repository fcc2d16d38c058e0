#!/usr/bin/env python3
"""Checks what HTTP promises of a node's rows: marks, codings, ranges, CORS, limits, versions, aggregates, tiles.

    protocol.py BASE_URL CODE [--limited BASE_URL] [--login NAME --password TEXT]

CODE is a resource of points that is open (301009-000001). The node of --limited was started with TONGQU_RATE_LIMIT=30; it is asked
as 203.0.113.7. Without --password what a session sees is left out. One line per check: `ok NAME` or `FAIL NAME: why`; exit 1 on any FAIL.
"""
import argparse, csv, io, json, math, os, re, socket, subprocess, sys, tempfile, time, zlib
from collections import defaultdict
from datetime import date
from urllib.parse import quote, urlsplit

import mapbox_vector_tile
import requests
import zstandard

FILES = ["csv", "json", "jsonl", "geojson", "xlsx"]
PACKED = ["csv", "json", "jsonl", "geojson"]
EXTENT = 4096
PROBLEM = "application/problem+json"


def need(condition, why):
    if not condition:
        raise AssertionError(why)


def unpack(coding, body):
    if coding == "gzip":
        unpacker = zlib.decompressobj(31)
        out = unpacker.decompress(body) + unpacker.flush()
        need(unpacker.eof and not unpacker.unused_data, "the gzip stream is not one whole member")
        return out
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    out = unpacker.decompress(body)
    need(unpacker.eof and not unpacker.unused_data, "the zstd stream is not one whole frame")
    return out


class Check:
    def __init__(self, o):
        self.base, self.o, self.failed = o.base_url.rstrip("/"), o, 0
        self.root = f"{self.base}/api/v1/resources/{o.code}"
        self.session = requests.Session()
        self.session.headers.clear()
        self.session.headers.update({"Accept-Encoding": "identity"})

    def run(self, name, body, *a):
        try:
            note = body(*a)
        except Exception as e:
            self.failed += 1
            print(f"FAIL {name}: " + " ".join(f"{'' if isinstance(e, AssertionError) else type(e).__name__ + ' '}{e}".split())[:900])
        else:
            print(f"ok {name}" + (f" ({note})" if note else ""))
        sys.stdout.flush()

    def ask(self, path, method="GET", base=None, session=None, **headers):
        """Status, headers and the bytes as they came; a header's name has _ for -."""
        url = path if path.startswith("http") else (base or self.root) + path
        r = (session or self.session).request(
            method, url, headers={k.replace("_", "-"): v for k, v in headers.items()}, stream=True, timeout=60, allow_redirects=False)
        r.body = r.raw.read(decode_content=False)
        need(r.status_code < 500, f"{r.status_code} for {url} {headers or ''}: {r.body[:200]}")
        return r

    def right(self, path, **headers):
        r = self.ask(path, **headers)
        need(r.status_code == 200, f"{r.status_code} for {path}")
        return r

    def marked(self):
        tile = self.tiles_of(8)[0]
        return ["/records?limit=50", "/aggregate?group=" + self.group(), "/tiles/%d/%d/%d.mvt" % tile] + ["/records." + f for f in FILES]

    @staticmethod
    def vary(r):
        return {x.strip().lower() for x in r.headers.get("Vary", "").split(",") if x.strip()}

    # What the resource has
    def load(self):
        self.rows = json.loads(self.right("/records.json").body)
        need(len(self.rows) >= 50, "too few rows to check with")
        self.fields = json.loads(self.right("/tableschema.json").body)["fields"]
        self.places = {f["properties"][self.fields[0]["name"]]: f["geometry"]["coordinates"]
                       for f in json.loads(self.right("/records.geojson").body)["features"] if f["geometry"]}
        need(self.places, "no points")
        self.ids, cursor = {}, None
        while True:
            page = json.loads(self.right("/records?limit=1000" + (f"&cursor={quote(cursor)}" if cursor else "")).body)
            for row in page["records"]:
                self.ids[row["_id"]] = self.places.get(row[self.fields[0]["name"]])
            cursor = page["next"]
            if not cursor:
                break
        need(len(self.ids) == len(self.rows), f"{len(self.ids)} rows by pages, {len(self.rows)} in the file")
        self.ids = {k: v for k, v in self.ids.items() if v}
        return f"{len(self.rows)} rows"

    def group(self):
        for f in self.fields:
            if f["type"] == "string" and 1 < len({r[f["name"]] for r in self.rows}) <= len(self.rows) / 5:
                return f["name"]
        raise AssertionError("no field to group by")

    @staticmethod
    def at(place, zoom):
        """Where a place lies on the map, in units of a tile's edge."""
        x, y = place
        s = math.sin(math.radians(y))
        return (x + 180) / 360 * 2 ** zoom, (0.5 - math.log((1 + s) / (1 - s)) / (4 * math.pi)) * 2 ** zoom

    def tiles_of(self, zoom):
        return sorted({(zoom, int(x), int(y)) for x, y in (self.at(p, zoom) for p in self.ids.values())})

    # Marks
    def marks(self):
        seen = {}
        for path in self.marked():
            r, again = self.right(path), self.right(path)
            mark = r.headers.get("ETag", "")
            need(re.fullmatch(r'"[!#-~]+"', mark), f"{path} has the mark {mark!r}, expected a strong one")
            need(again.headers["ETag"] == mark and again.body == r.body, f"{path} is another one the second time")
            need("no-store" not in r.headers.get("Cache-Control", ""), f"{path} must not be kept")
            need(mark not in seen, f"{path} and {seen.get(mark)} have one mark")
            seen[mark] = path
            hit = self.ask(path, If_None_Match=mark)
            need(hit.status_code == 304 and not hit.body, f"{path}: {hit.status_code} with {len(hit.body)} bytes for its own mark")
            need(hit.headers.get("ETag") == mark, f"{path}: 304 has the mark {hit.headers.get('ETag')}")
            need("Content-Length" not in hit.headers or hit.headers["Content-Length"] == r.headers.get("Content-Length"),
                 f"{path}: 304 says Content-Length {hit.headers.get('Content-Length')}")
        return f"{len(seen)} addresses"

    def marks_forms(self):
        for path in self.marked():
            mark = self.right(path).headers["ETag"]
            bare = mark[1:-1]
            for text, want in ((f"W/{mark}", 304), (f'"other", {mark}', 304), (f'"other" , W/{mark} ,"more"', 304), ("*", 304), (f'"{bare}-gzip"', 304),
                               (f'W/"{bare}-zstd"', 304), ('"other"', 200), (bare, 200), (f'"{bare}x"', 200), ('""', 200), (f'"{bare}-br"', 200), ("", 200), (",,", 200)):
                r = self.ask(path, If_None_Match=text)
                need(r.status_code == want, f"{path} with If-None-Match {text}: {r.status_code}, expected {want}")
            many = self.ask(path, If_None_Match=", ".join(f'"{i:024x}"' for i in range(200)) + ", " + mark)
            need(many.status_code == 304, f"{path}: {many.status_code} for the last of 201 marks")

    def marks_queries(self):
        g, f = self.group(), self.fields[0]["name"]
        tile = "/tiles/%d/%d/%d.mvt" % self.tiles_of(8)[0]
        value = next(r[g] for r in self.rows if r[g])
        condition = quote(f"{g} = '{value}'")
        for one, *others in (["/records?limit=5", "/records?limit=6", f"/records?limit=5&fields={f}", f"/records?limit=5&filter={condition}", "/records?limit=5&offset=5"],
                             ["/records.csv", f"/records.csv?fields={f}", f"/records.csv?filter={condition}", "/records.csv?bom=true"],
                             [f"/aggregate?group={g}", f"/aggregate?group={g}&sort=-count", f"/aggregate?group={g}&limit=1", f"/aggregate?filter={condition}"],
                             [tile, f"{tile}?fields={g}", f"{tile}?filter={condition}"]):
            mark = self.right(one).headers["ETag"]
            for other in others:
                r = self.ask(other, If_None_Match=mark)
                need(r.status_code == 200 and r.headers["ETag"] != mark, f"the mark of {one} is taken for {other}")

    def marks_accept(self):
        """One address, several forms by Accept: other marks, and caches are told."""
        g = self.group()
        for path in ("/records?limit=5", f"/aggregate?group={g}"):
            plain, text = self.right(path, Accept="application/json"), self.right(path, Accept="text/csv")
            need(plain.headers["Content-Type"] != text.headers["Content-Type"], f"{path}: Accept changes nothing")
            r = self.ask(path, Accept="text/csv", If_None_Match=plain.headers["ETag"])
            need(r.status_code == 200, f"{path}: {r.status_code} for CSV with the mark of JSON")
            need(text.headers.get("ETag") not in (None, plain.headers["ETag"]), f"{path}: CSV has the mark {text.headers.get('ETag')}, JSON {plain.headers['ETag']}")
            for r in (plain, text):
                need("accept" in self.vary(r), f"{path} as {r.headers['Content-Type']} goes by Accept, but Vary is {sorted(self.vary(r))}")

    def marks_304(self):
        """A 304 says what the 200 would have said of caching (RFC 9110, 15.4.5)."""
        for path in self.marked()[:4]:
            for coding in ("identity", "gzip", "zstd"):
                r = self.right(path, Accept_Encoding=coding)
                hit = self.ask(path, Accept_Encoding=coding, If_None_Match=r.headers["ETag"])
                need(hit.status_code == 304, f"{path}: {hit.status_code} for its own mark in {coding}")
                for name in ("Cache-Control", "ETag", "Vary"):
                    need(hit.headers.get(name) == r.headers.get(name), f"{path} in {coding}: {name} is {r.headers.get(name)} in 200, {hit.headers.get(name)} in 304")

    # Codings
    def codings(self):
        whole = 0
        for path in self.marked():
            plain = self.right(path)
            need("Content-Encoding" not in plain.headers, f"{path}: {plain.headers.get('Content-Encoding')} for identity")
            packs = path.split(".")[-1] in PACKED or len(plain.body) >= 1000 and not path.endswith("xlsx")
            need(not packs or "accept-encoding" in self.vary(plain), f"{path}: Vary is {sorted(self.vary(plain))}")
            marks = {plain.headers["ETag"]}
            for coding in ("gzip", "zstd"):
                r = self.right(path, Accept_Encoding=coding)
                if not packs:
                    continue
                need(r.headers.get("Content-Encoding") == coding, f"{path}: {r.headers.get('Content-Encoding')} for {coding}")
                need("accept-encoding" in self.vary(r), f"{path}: Vary is {sorted(self.vary(r))}")
                need(r.headers["Content-Type"] == plain.headers["Content-Type"], f"{path}: {r.headers['Content-Type']} in {coding}")
                need(unpack(coding, r.body) == plain.body, f"{path}: other bytes in {coding}")
                need(len(r.body) < len(plain.body), f"{path}: {len(r.body)} bytes in {coding}, {len(plain.body)} without")
                need(r.headers["ETag"] == f'"{plain.headers["ETag"][1:-1]}-{coding}"', f"{path}: mark {r.headers['ETag']} in {coding}")
                marks.add(r.headers["ETag"])
                hit = self.ask(path, Accept_Encoding=coding, If_None_Match=r.headers["ETag"])
                need(hit.status_code == 304 and not hit.body, f"{path}: {hit.status_code} for its own mark in {coding}")
                whole += 1
            need(not packs or len(marks) == 3, f"{path}: codings share a mark")
        return f"{whole} packed answers"

    def codings_chosen(self):
        for text, want in (("gzip, deflate, br, zstd", "zstd"), ("gzip, deflate", "gzip"), ("zstd;q=0, gzip", "gzip"), ("GZIP", "gzip"), ("*", {"gzip", "zstd"}),
                           ("gzip;q=0, zstd;q=0", None), ("br, deflate", None), ("identity", None), ("gzip;q=0", None), ("*;q=0, gzip", "gzip"), ("gzip;q=bad", {"gzip", None}),
                           ("", None), (",;,", None), ("gzip ; q=1.0 , zstd ; q=0", "gzip"), ("identity;q=1, gzip;q=0, *;q=0", None)):
            got = self.right("/records.csv", Accept_Encoding=text).headers.get("Content-Encoding")
            need(got in (want if isinstance(want, set) else {want}), f"Accept-Encoding {text}: {got}, expected {want}")
        r = self.right("/records.csv", Accept_Encoding="gzip;q=1, zstd;q=0.1")
        need(r.headers.get("Content-Encoding") == "gzip", f"gzip;q=1, zstd;q=0.1 gives {r.headers.get('Content-Encoding')}, which the client likes less")

    def codings_twice(self):
        """What is packed by its nature is not packed again."""
        for path in ("/records.xlsx", "/package.zip"):
            for coding in ("gzip", "zstd"):
                r = self.right(path, Accept_Encoding=coding)
                need("Content-Encoding" not in r.headers, f"{path} ({r.headers['Content-Type']}) is packed as {coding}")

    def codings_small(self):
        for path in ("/records?limit=1", "/aggregate", "/data-versions"):
            r = self.right(path, Accept_Encoding="gzip, zstd")
            need(len(r.body) < 1000, f"{path} has {len(r.body)} bytes")
            need("Content-Encoding" not in r.headers, f"{path} of {len(r.body)} bytes is packed")

    # Ranges
    def ranges(self):
        count = 0
        for form in FILES:
            path = f"/records.{form}"
            r = self.right(path)
            whole, n, mark = r.body, len(r.body), r.headers["ETag"]
            need(r.headers.get("Accept-Ranges") == "bytes", f"{path}: Accept-Ranges is {r.headers.get('Accept-Ranges')}")
            middle = n // 2
            for text, first, end in (("bytes=0-0", 0, 1), ("bytes=0-99", 0, 100), (f"bytes={middle}-{middle + 999}", middle, min(n, middle + 1000)), (f"bytes={n - 1}-", n - 1, n),
                                     (f"bytes={middle}-", middle, n), ("bytes=-10", n - 10, n), ("bytes=-1", n - 1, n), (f"bytes=-{n * 3}", 0, n), (f"bytes=0-{n * 9}", 0, n),
                                     (f"bytes={n - 5}-9223372036854775807", n - 5, n), ("bytes=0-", 0, n)):
                r = self.ask(path, Range=text)
                need(r.status_code == 206, f"{path} {text}: {r.status_code}")
                need(r.headers.get("Content-Range") == f"bytes {first}-{end - 1}/{n}", f"{path} {text}: Content-Range {r.headers.get('Content-Range')}, of {n}")
                need(r.body == whole[first:end], f"{path} {text}: other bytes")
                need(int(r.headers["Content-Length"]) == end - first and r.headers["ETag"] == mark, f"{path} {text}: wrong length or mark")
                count += 1
        return f"{count} ranges"

    def ranges_beyond(self):
        n = len(self.right("/records.csv").body)
        for text in (f"bytes={n}-", f"bytes={n}-{n + 9}", "bytes=99999999999-", "bytes=9223372036854775807-", "bytes=-0"):
            r = self.ask("/records.csv", Range=text)
            need(r.status_code == 416, f"{text}: {r.status_code}")
            need(r.headers["Content-Type"].startswith(PROBLEM), f"{text}: {r.headers['Content-Type']}")
            need(r.headers.get("Content-Range") == f"bytes */{n}", f"{text}: Content-Range is {r.headers.get('Content-Range')}, expected bytes */{n}")

    def ranges_whole(self):
        """Lists of ranges, and what is no range, are answered with everything."""
        r = self.right("/records.csv")
        for text in ("bytes=0-1,4-5", "bytes=0-0,-1", "bytes=0-1, 2-3, 4-5", "rows=0-1", "bytes=5-2", "bytes=", "bytes=-", "bytes=a-b", "bytes 0-1", "bytes=99999999999999999999-",
                     "bytes=0-99999999999999999999x", "bytes=--1", "bytes=1--2", "", "bytes=" + ",".join(f"{i}-{i}" for i in range(500))):
            got = self.ask("/records.csv", Range=text)
            need(got.status_code == 200 and got.body == r.body, f"Range {text[:60]}: {got.status_code} with {len(got.body)} bytes")

    def ranges_if(self):
        r = self.right("/records.csv")
        mark = r.headers["ETag"]
        for text, want in ((mark, 206), (f"W/{mark}", 200), ('"other"', 200), (f'"{mark[1:-1]}-gzip"', 200), ("Sat, 21 Nov 2026 00:00:00 GMT", 200), (mark[1:-1], 200)):
            got = self.ask("/records.csv", Range="bytes=10-19", If_Range=text)
            need(got.status_code == want and got.body == (r.body[10:20] if want == 206 else r.body), f"If-Range {text}: {got.status_code}, expected {want}")
        got = self.ask("/records.csv", Range="bytes=10-19", If_None_Match=mark)
        need(got.status_code == 304, f"Range with If-None-Match of the same: {got.status_code}, expected 304")

    def ranges_coded(self):
        """A part is of the form that its mark names."""
        whole = self.right("/records.csv")
        for coding in ("gzip", "zstd", "gzip, zstd"):
            got = self.ask("/records.csv", Range="bytes=100-199", Accept_Encoding=coding)
            need(got.status_code == 206 and "Content-Encoding" not in got.headers, f"{coding}: {got.status_code} {got.headers.get('Content-Encoding')}")
            need(got.body == whole.body[100:200] and got.headers["ETag"] == whole.headers["ETag"], f"{coding}: other bytes or mark")
            packed = self.right("/records.csv", Accept_Encoding=coding).headers["ETag"]
            got = self.ask("/records.csv", Range="bytes=100-", Accept_Encoding=coding, If_Range=packed)
            need(got.status_code == 200, f"{coding}: a packed download is resumed with plain bytes ({got.status_code})")

    def ranges_elsewhere(self):
        for path in ("/records?limit=50", "/package.zip"):
            r = self.ask(path, Range="bytes=0-9")
            need(r.status_code == 200 and "Accept-Ranges" not in r.headers, f"{path}: {r.status_code} for a range")

    def resume(self):
        with tempfile.TemporaryDirectory() as folder:
            for form in ("csv", "xlsx", "geojson"):
                whole, file = self.right(f"/records.{form}").body, os.path.join(folder, form)
                for begun in (1, len(whole) // 3, len(whole) - 1):
                    with open(file, "wb") as f:
                        f.write(whole[:begun])
                    done = subprocess.run(["curl", "-sS", "-f", "-C", "-", "-o", file, f"{self.root}/records.{form}"], capture_output=True, text=True, timeout=60)
                    need(done.returncode == 0, f"{form} from {begun}: curl says {done.stderr[:200]}")
                    with open(file, "rb") as f:
                        need(f.read() == whole, f"{form} from {begun}: other bytes")

    # HEAD
    def head(self):
        for path in self.marked() + ["/datapackage.json", "/openapi.json"]:
            get = self.right(path)
            head = self.ask(path, "HEAD")
            need(head.status_code == 200 and not head.body, f"HEAD {path}: {head.status_code}, {len(head.body)} bytes")
            for name in ("ETag", "Content-Type", "Cache-Control", "Accept-Ranges", "Vary", "Access-Control-Allow-Origin"):
                need(head.headers.get(name) == get.headers.get(name), f"HEAD {path}: {name} is {head.headers.get(name)}, GET has {get.headers.get(name)}")
            hit = self.ask(path, "HEAD", If_None_Match=get.headers.get("ETag", '"none"'))
            need(hit.status_code == (304 if "ETag" in get.headers else 200), f"HEAD {path} with its mark: {hit.status_code}")
        need(self.ask("/records?filter=%28", "HEAD").status_code == 400, "HEAD of a wrong request is not 400")

    def head_length(self):
        """A length that HEAD gives is the one of GET (RFC 9110, 8.6)."""
        for path in self.marked() + ["/datapackage.json"]:
            n = len(self.right(path).body)
            told = self.ask(path, "HEAD").headers.get("Content-Length")
            need(told is None or int(told) == n, f"HEAD {path}: Content-Length {told}, GET has {n} bytes")

    def wire(self):
        """Nothing follows the heads of HEAD and 304 on the wire: the next answer of the connection is read right."""
        at = urlsplit(self.base)
        path = urlsplit(self.root).path
        mark = self.right("/records.csv").headers["ETag"]
        with socket.create_connection((at.hostname, at.port or 80), timeout=20) as s:
            ask = lambda method, what, more="": f"{method} {path}{what} HTTP/1.1\r\nHost: {at.netloc}\r\n{more}\r\n".encode()
            s.sendall(ask("HEAD", "/records.csv") + ask("GET", "/records.csv", f"If-None-Match: {mark}\r\n") + ask("HEAD", "/aggregate", "Accept-Encoding: gzip\r\n")
                      + ask("GET", "/records.csv", "Range: bytes=0-3\r\n") + ask("GET", "/aggregate", "Connection: close\r\n"))
            data = b""
            while piece := s.recv(65536):
                data += piece
        states = re.findall(rb"HTTP/1\.1 (\d+) ", data)
        need(states == [b"200", b"304", b"200", b"206", b"200"], f"answers {states}")
        heads = data.split(b"\r\n\r\n")
        need(heads[1].startswith(b"HTTP/1.1 304") and heads[2].startswith(b"HTTP/1.1 200") and heads[3].startswith(b"HTTP/1.1 206"), "bytes between the heads")
        need(heads[4].startswith(self.right("/records.csv").body[:4] + b"HTTP/1.1 200"), f"after a part of four bytes stands {heads[4][:40]}")

    def wire_bad(self):
        at = urlsplit(self.base)
        path = urlsplit(self.root).path.encode()
        for name, text in (("bare CR in a header", b"GET %s/records HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\rX: b\"\r\n\r\n"),
                           ("NUL in a header", b"GET %s/records HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\x00\"\r\n\r\n"),
                           ("bytes beyond ASCII", b"GET %s/records HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"\xff\xfe\"\r\nRange: bytes=\xb2-\xb3\r\nConnection: close\r\n\r\n"),
                           ("a line of a header that goes on", b"GET %s/records.csv HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\n 9\r\nConnection: close\r\n\r\n"),
                           ("two ranges as two headers", b"GET %s/records.csv HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\nConnection: close\r\n\r\n"),
                           ("a query with bytes that are no UTF-8", b"GET %s/records?filter=%%ff%%fe&fields=%%00&limit=%%c3%%28 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                           ("line ends in a name of a file", b"GET %s%%0d%%0aX-Injected:%%20yes/records.csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                           ("line ends in a host", b"GET %s/datapackage.json HTTP/1.1\r\nHost: x%%0d%%0aX-Injected: yes\r\nConnection: close\r\n\r\n")):
            with socket.create_connection((at.hostname, at.port or 80), timeout=20) as s:
                s.sendall(text.replace(b"%s", path).replace(b"%%", b"%"))
                s.shutdown(socket.SHUT_WR)
                data = b""
                while piece := s.recv(65536):
                    data += piece
            state = data.split(b" ")[1:2]
            need(not state or state[0] < b"500", f"{name}: {state}")
            need(b"\nx-injected" not in data.split(b"\r\n\r\n")[0].lower(), f"{name}: a header was injected")
        need(self.ask("/aggregate").status_code == 200, "the node does not answer any more")

    # CORS
    def cors(self):
        for path in ("/records?limit=1", "/records.csv", "/aggregate", "/tiles.json", "/openapi.json", "/records?filter=%28", "/records?version=0"):
            r = self.ask(path, Origin="https://elsewhere.example")
            need(r.headers.get("Access-Control-Allow-Origin") == "*", f"{path} ({r.status_code}): Access-Control-Allow-Origin {r.headers.get('Access-Control-Allow-Origin')}")
            need("Access-Control-Allow-Credentials" not in r.headers, f"{path}: credentials are allowed")
        shown = {x.strip().lower() for x in self.ask("/records.csv").headers.get("Access-Control-Expose-Headers", "").split(",")}
        need({"etag", "content-range", "retry-after", "ratelimit"} <= shown, f"shown: {sorted(shown)}")

    def cors_identified(self):
        for name, text in (("Cookie", "tongqu_session=0000"), ("Authorization", "Bearer 0000"), ("Authorization", "Basic AAAA")):
            r = self.ask("/records?limit=1", **{name: text, "Origin": "https://elsewhere.example"})
            need("Access-Control-Allow-Origin" not in r.headers, f"{name} gets Access-Control-Allow-Origin {r.headers.get('Access-Control-Allow-Origin')} ({r.status_code})")

    def cors_preflight(self):
        ask = dict(Origin="https://elsewhere.example", Access_Control_Request_Method="GET", Access_Control_Request_Headers="if-none-match, range")
        for path in ("/records", "/records.csv", f"{self.base}/ogc", f"{self.base}/catalog.jsonld", f"{self.base}/datastore/dump/x"):
            r = self.ask(path, "OPTIONS", **ask)
            need(r.status_code in (200, 204) and not r.body, f"{path}: {r.status_code}")
            need(r.headers.get("Access-Control-Allow-Origin") == "*", f"{path}: origin {r.headers.get('Access-Control-Allow-Origin')}")
            methods, names = (r.headers.get(f"Access-Control-Allow-{x}", "").lower() for x in ("Methods", "Headers"))
            need("get" in methods and "post" not in methods and "delete" not in methods, f"{path}: methods {methods}")
            need("if-none-match" in names and "range" in names and "authorization" not in names and "*" not in names, f"{path}: headers {names}")
        r = self.ask(f"{self.base}/api/3/action/package_list", "OPTIONS", **{**ask, "Access_Control_Request_Method": "POST"})
        need("post" in r.headers.get("Access-Control-Allow-Methods", "").lower(), "CKAN's interface takes no POST from elsewhere")
        r = self.ask(f"{self.base}/signin", "OPTIONS", **ask)
        need("Access-Control-Allow-Origin" not in r.headers, "pages may be read from elsewhere")
        r = self.ask(f"{self.base}/api/3/action/package_list", "POST", Origin="https://elsewhere.example", Content_Type="application/json")
        need(r.headers.get("Access-Control-Allow-Origin") == "*", "the answer to a POST of CKAN's interface may not be read")

    def session_cors(self):
        s = requests.Session()
        s.headers.update({"Accept-Encoding": "identity"})
        r = s.post(self.base + "/api/v1/session", json={"login": self.o.login, "password": self.o.password}, timeout=20)
        need(r.status_code in (200, 201) and s.cookies.get("tongqu_session"), f"no session: {r.status_code}")
        plain = self.right("/records?limit=5")
        r = self.ask("/records?limit=5", session=s, Origin="https://elsewhere.example")
        need(r.status_code == 200 and "Access-Control-Allow-Origin" not in r.headers, f"{r.status_code} {r.headers.get('Access-Control-Allow-Origin')}")
        need(json.loads(r.body)["records"], "no rows for the session")
        hit = self.ask("/records?limit=5", session=s, If_None_Match=r.headers["ETag"])
        need(hit.status_code == 304 and "Access-Control-Allow-Origin" not in hit.headers, f"{hit.status_code} for the session's own mark")
        if r.body != plain.body:
            need(r.headers["ETag"] != plain.headers["ETag"], "what a session sees has the mark of what the public sees")
        need("public" not in r.headers.get("Cache-Control", ""), "caches may keep a session's answer for all")

    # Limits
    def unlimited(self):
        r = self.ask("/records?limit=1")
        need("RateLimit" not in r.headers, "the node's own machine is counted")

    def limited(self):
        base, path = self.o.limited.rstrip("/"), f"/api/v1/resources/{self.o.code}/aggregate"
        ask = lambda who="203.0.113.7", what=path: self.ask(what, base=base, X_Forwarded_For=who)
        left, answer = [], None
        for _ in range(45):
            r = ask()
            need(re.fullmatch(r'"default";q=30;w=60', r.headers.get("RateLimit-Policy", "")), f"RateLimit-Policy {r.headers.get('RateLimit-Policy')}")
            found = re.fullmatch(r'"default";r=(\d+);t=(\d+)', r.headers.get("RateLimit", ""))
            need(found, f"RateLimit {r.headers.get('RateLimit')}")
            if r.status_code == 429:
                answer = r
                break
            need(r.status_code == 200, f"{r.status_code}")
            left.append(int(found[1]))
        need(answer is not None, f"no 429 in 45 requests: {left}")
        need(all(a >= b for a, b in zip(left, left[1:])) and (not left or left[-1] <= 1 and left[0] < 30), f"what is left: {left}")
        need(int(found[1]) == 0, f"429 says {found[1]} are left")
        wait = answer.headers.get("Retry-After", "")
        need(wait.isdigit() and 1 <= int(wait) <= 5, f"Retry-After {wait!r}")
        need(answer.headers["Content-Type"].startswith(PROBLEM) and json.loads(answer.body)["status"] == 429, f"{answer.headers['Content-Type']} {answer.body[:100]}")
        need(answer.headers.get("Access-Control-Allow-Origin") == "*", "who asks from elsewhere cannot read the 429")
        need(ask("203.0.113.8").status_code == 200, "another address is held back too")
        need(ask("203.0.113.8, 203.0.113.7").status_code == 429, "an address that the client wrote is believed")
        need(ask("203.0.113.7", "/healthz").status_code == 200, "the node's health is limited")
        need(ask("203.0.113.7", "/openapi.json").status_code == 429, "another address of the node is not counted")
        time.sleep(int(wait) + 0.1)
        need(ask().status_code == 200, f"still held back after Retry-After {wait}")
        return f"429 after {len(left)}"

    # Versions
    def versions(self):
        found = json.loads(self.right("/data-versions").body)["versions"]
        need(found and sum(v["current"] for v in found) == 1, f"{len(found)} versions, {sum(v['current'] for v in found)} current")
        need([v["version"] for v in found] == sorted((v["version"] for v in found), reverse=True), "not newest first")
        now = next(v for v in found if v["current"])
        for v in found[:5]:
            rows = len(json.loads(self.right(f"/records.json?version={v['version']}").body))
            need(rows == v["rows"], f"version {v['version']} has {rows} rows, {v['rows']} are told")
        need(now["rows"] == len(self.rows), f"the current version has {now['rows']} rows, the resource {len(self.rows)}: give a resource that was loaded whole")
        need(re.fullmatch(r"sm3:[0-9a-f]{64}", now["digest"]), f"digest {now['digest']}")
        n = now["version"]
        key = lambda rows: [json.dumps({k: v for k, v in r.items() if k != "_id"}, sort_keys=True) for r in rows]
        for path in (f"/records.json?version={n}", f"/records?version={n}&limit=10000"):
            got = json.loads(self.right(path).body)
            need(key(got["records"] if isinstance(got, dict) else got) == key(self.rows), f"{path} has other rows than the resource")
        pages, cursor = [], None
        while True:
            page = json.loads(self.right(f"/records?version={n}&limit=37" + (f"&cursor={quote(cursor)}" if cursor else "")).body)
            pages += page["records"]
            cursor = page["next"]
            if not cursor:
                break
        need(key(pages) == key(self.rows), f"{len(pages)} rows by pages of a version")
        for text, want in (("0", {400, 404}), ("-1", {400, 404}), ("99999999", 404), ("x", 400), ("1.5", 400), ("9223372036854775807", 404), ("9223372036854775808", 400), ("1%00", {400, 404})):
            for path in ("/records", "/records.csv", "/records.xlsx"):
                r = self.ask(f"{path}?version={text}")
                need(r.status_code in (want if isinstance(want, set) else {want}), f"{path}?version={text}: {r.status_code}, expected {want}")
                need(r.headers["Content-Type"].startswith(PROBLEM), f"{path}?version={text}: {r.headers['Content-Type']}")
        return f"{len(found)} versions"

    def difference(self):
        n = json.loads(self.right("/data-versions").body)["versions"][0]["version"]
        got = json.loads(self.right(f"/difference?from={n}&to={n}").body)
        need((got["from"], got["to"], got["changes"], got["added"], got["removed"], got["changed"]) == (n, n, [], 0, 0, 0), f"a version differs from itself: {str(got)[:200]}")
        text = self.right(f"/difference?from={n}&to={n}&f=csv")
        need(text.headers["Content-Type"].startswith("text/csv") and len(text.body.splitlines()) == 1, "the difference as CSV is not its header alone")
        for query, want in (("", 400), (f"from={n}", 400), (f"to={n}", 400), (f"from={n}&to=x", 400), (f"from={n}&to=99999999", 404), (f"from=0&to={n}", 400)):
            r = self.ask(f"/difference?{query}")
            need(r.status_code == want and r.headers["Content-Type"].startswith(PROBLEM), f"difference?{query}: {r.status_code} {r.headers['Content-Type']}, expected {want}")

    def difference_rows(self):
        """What differs is what the rows of both versions say, of every resource that has two."""
        found = 0
        for entry in json.loads(self.right(f"{self.base}/api/v1/resources?limit=100").body)["entries"]:
            root = f"{self.base}/api/v1/resources/{entry['id']}"
            versions = [v["version"] for v in json.loads(self.right(root + "/data-versions").body)["versions"]]
            key = json.loads(self.right(root + "/datapackage.json").body)["resources"][0]["schema"].get("primaryKey")
            if len(versions) < 2 or not key:
                continue
            key = [key] if isinstance(key, str) else key
            one, other = ({tuple(r[k] for k in key): r for r in json.loads(self.right(f"{root}/records.json?version={v}").body)} for v in (versions[-1], versions[0]))
            got = json.loads(self.right(f"{root}/difference?from={versions[-1]}&to={versions[0]}").body)
            kinds = {"added": other.keys() - one.keys(), "removed": one.keys() - other.keys(), "changed": {k for k in one.keys() & other.keys() if one[k] != other[k]}}
            for kind, keys in kinds.items():
                told = [c for c in got["changes"] if c["change"] == kind]
                need(got[kind] == len(told) == len(keys), f"{entry['id']}: {got[kind]} {kind}, {len(keys)} expected")
                for c in told:
                    where = tuple(c.get("after", c.get("before"))[k] for k in key)
                    need(where in keys and c.get("before") == (one.get(where)) and c.get("after") == (other.get(where)), f"{entry['id']}: {kind} {where} is told wrong")
            text = self.right(f"{root}/difference?from={versions[-1]}&to={versions[0]}&f=csv").body.decode("utf-8-sig")
            lines = [r["_change"] for r in csv.DictReader(io.StringIO(text))]
            need((lines.count("added"), lines.count("removed"), lines.count("changed_from"), lines.count("changed_to")) == tuple(len(kinds[k]) for k in ("added", "removed", "changed", "changed")),
                 f"{entry['id']}: other lines in CSV")
            found += 1
        return f"{found} resources of two versions"

    # Aggregates
    def measures(self):
        count, names = 0, [f["name"] for f in self.fields if f["type"] in ("integer", "number")][:4]
        dates = [f["name"] for f in self.fields if f["type"] == "date"]
        groups = [(), (self.group(),)] + [(f["name"],) for f in self.fields if f["type"] == "string" and len({r[f["name"]] for r in self.rows}) <= 40][:3]
        groups += [(f"{step}({d})",) for d in dates[:1] for step in ("year", "quarter", "month", "week", "day")]
        groups += [(self.group(), f"year({d})") for d in dates[:1]]
        for group in groups:
            asked = ["count"] + [f"{m}({n})" for n in names for m in ("sum", "mean", "min", "max", "distinct", "p0", "p50", "p95", "p100")][:19]
            got = json.loads(self.right("/aggregate?limit=10000&group=" + quote(",".join(group)) + "&measure=" + quote(",".join(asked))).body)
            want = defaultdict(list)
            for row in self.rows:
                want[tuple(self.step(g, row) for g in group)].append(row)
            need(got["rows"] == len(self.rows) and got["group_count"] == len(want) == len(got["groups"]), f"by {group}: {got['rows']} rows, {got['group_count']} groups, {len(want)} expected")
            keys = [re.sub(r"^(\w+)\((.*)\)$", r"\2_\1", g) for g in group]
            for one in got["groups"]:
                where = tuple(one[k] for k in keys)
                need(where in want, f"by {group}: there is no group {where}")
                rows = want.pop(where)
                need(one["count"] == len(rows), f"by {group} {where}: count {one['count']}, {len(rows)} expected")
                for measure in asked[1:]:
                    word, name = measure[:-1].split("(")
                    values = sorted(r[name] for r in rows if r[name] is not None)
                    told, right = one[f"{word}_{name}"], self.measure(word, values)
                    need(told == right or None not in (told, right) and math.isclose(told, right, rel_tol=1e-9, abs_tol=1e-9), f"by {group} {where}: {measure} is {told}, {right} expected")
                    count += 1
        return f"{count} values"

    @staticmethod
    def step(group, row):
        found = re.fullmatch(r"(\w+)\((.*)\)", group)
        if not found or row[found[2]] is None:
            return row[found[2] if found else group]
        day = date.fromisoformat(row[found[2]][:10])
        return {"year": str(day.year), "quarter": f"{day.year}-Q{(day.month + 2) // 3}", "month": f"{day:%Y-%m}",
                "week": date.fromordinal(day.toordinal() - day.weekday()).isoformat(), "day": day.isoformat()}[found[1]]

    @staticmethod
    def measure(word, values):
        if word == "distinct":
            return len(set(values))
        if not values:
            return None
        if word in ("sum", "mean"):
            return math.fsum(values) / (len(values) if word == "mean" else 1)
        at = (len(values) - 1) * {"min": 0, "max": 100}.get(word, 0 if word in ("min", "max") else None) / 100 if word in ("min", "max") else (len(values) - 1) * float(word[1:]) / 100
        low = int(at)
        return values[low] + (values[min(low + 1, len(values) - 1)] - values[low]) * (at - low)

    def measures_more(self):
        g = self.group()
        rows = defaultdict(int)
        for r in self.rows:
            rows[r[g]] += 1
        got = json.loads(self.right(f"/aggregate?group={g}&sort=-count&limit=1").body)
        need(len(got["groups"]) == 1 and got["groups"][0]["count"] == max(rows.values()) and got["group_count"] == len(rows), f"the largest group: {got}")
        got = json.loads(self.right(f"/aggregate?group={g}&sort=count").body)["groups"]
        need([x["count"] for x in got] == sorted(rows.values()), "sort=count is not in order")
        value = next(k for k in rows if k)
        got = json.loads(self.right("/aggregate?filter=" + quote(f"{g} = '{value}'")).body)
        need(got["groups"] == [{"count": rows[value]}] and got["rows"] == rows[value], f"with a filter: {got}")
        got = json.loads(self.right("/aggregate?filter=" + quote(f"{g} = 'there is no such'")).body)
        need(got["rows"] == 0, f"a filter that nothing fits: {got}")
        text = self.right(f"/aggregate?group={g}", Accept="text/csv").body.decode("utf-8-sig")
        got = {r[g]: int(r["count"]) for r in csv.DictReader(io.StringIO(text))}
        need(got == {k or "": v for k, v in rows.items()}, f"as CSV: {got}")

    # Tiles
    def tile(self, address, query=""):
        r = self.right("/tiles/%d/%d/%d.mvt" % address + query)
        need(r.headers["Content-Type"] == "application/vnd.mapbox-vector-tile", r.headers["Content-Type"])
        layers = mapbox_vector_tile.decode(r.body, default_options={"y_coord_down": True}) if r.body else {}
        need(set(layers) <= {"rows"}, f"layers {sorted(layers)}")
        if not layers:
            return []
        need(layers["rows"]["extent"] == EXTENT and layers["rows"].get("version", 2) == 2, f"extent {layers['rows']['extent']}")
        found = layers["rows"]["features"]
        ids = [f.get("id") for f in found]
        need(None not in ids and len(ids) == len(set(ids)), f"{address}: {len(ids)} features, {len(set(ids))} ids")
        need(set(ids) <= set(self.ids), f"{address}: ids that no row has: {sorted(set(ids) - set(self.ids))[:5]}")
        return found

    def tiles_far(self):
        """Far out every point is one, or is counted by one, inside one tile only; each id lies where its row says."""
        for zoom in (0, 3, 6, 8):
            total = 0
            for address in self.tiles_of(zoom):
                for f in self.tile(address):
                    x, y = f["geometry"]["coordinates"]
                    wx, wy = ((a - b) * EXTENT for a, b in zip(self.at(self.ids[f["id"]], zoom), address[1:]))
                    need(abs(x - wx) <= 1 and abs(y - wy) <= 1, f"{address}: row {f['id']} at {x},{y}, expected {wx:.1f},{wy:.1f}")
                    if 0 <= x < EXTENT and 0 <= y < EXTENT:
                        total += f["properties"].get("point_count", 1)
            need(total == len(self.ids), f"zoom {zoom}: {total} points, {len(self.ids)} rows")

    def tiles_near(self):
        zoom, asked, found = 14, {}, 0
        for row, place in sorted(self.ids.items())[:250]:
            x, y = self.at(place, zoom)
            address = (zoom, int(x), int(y))
            if address not in asked:
                asked[address] = self.tile(address)
            spot = ((x - address[1]) * EXTENT, (y - address[2]) * EXTENT)
            near = [f for f in asked[address] if max(abs(a - b) for a, b in zip(f["geometry"]["coordinates"], spot)) <= 1]
            need(any(f["id"] == row or f["properties"].get("point_count", 1) > 1 for f in near), f"row {row} is not in tile {address}")
            found += 1
        return f"{found} points in {len(asked)} tiles"

    def tiles_fields(self):
        g = self.group()
        address = self.tiles_of(8)[0]
        rows = {}
        for r in json.loads(self.right("/records?limit=10000").body)["records"]:
            rows[r["_id"]] = r
        names = [f["name"] for f in self.fields]
        for f in self.tile(address, "?fields=" + ",".join(names)):
            for name in names:
                told, right = f["properties"].get(name), rows[f["id"]][name]
                need(told == right or isinstance(told, float) and math.isclose(told, right, rel_tol=1e-6), f"row {f['id']}: {name} is {told!r}, {right!r} expected")
        value = next(r[g] for r in self.rows if r[g])
        for f in self.tile(address, "?filter=" + quote(f"{g} = '{value}'")):
            need(rows[f["id"]][g] == value, f"row {f['id']} does not fit the filter")
        need(self.right("/tiles/%d/%d/%d.pbf" % address).body == self.right("/tiles/%d/%d/%d" % address).body == self.right("/tiles/%d/%d/%d.mvt" % address).body, "mvt, pbf and no ending differ")
        need(self.right("/tiles/%d/0/0.mvt" % 8).body == b"", "a tile of nothing has bytes")

    def tiles_json(self):
        d = json.loads(self.right("/tiles.json").body)
        need(d["tilejson"].startswith("3.") and d["vector_layers"][0]["id"] == "rows", f"{d['tilejson']} {d['vector_layers'][0]['id']}")
        need({f["name"] for f in self.fields} == set(d["vector_layers"][0]["fields"]), "other fields than the rows have")
        xs, ys = [p[0] for p in self.ids.values()], [p[1] for p in self.ids.values()]
        for told, right in zip(d["bounds"], (min(xs), min(ys), max(xs), max(ys))):
            need(abs(told - right) < 1e-4, f"bounds {d['bounds']}, the points lie in {min(xs), min(ys), max(xs), max(ys)}")
        w, s, e, n = d["bounds"]
        need(0 <= d["minzoom"] <= d["maxzoom"] <= 22, "zooms")
        x, y = map(int, self.at(next(iter(self.ids.values())), d["maxzoom"]))
        url = d["tiles"][0].replace("{z}", str(d["maxzoom"])).replace("{x}", str(x)).replace("{y}", str(y))
        need(self.ask(url).body, f"{url} is empty, a point lies there")

    # What is asked wrongly
    def wrong(self):
        number = next(f["name"] for f in self.fields if f["type"] in ("integer", "number"))
        text = self.group()
        tile = "/tiles/%d/%d/%d.mvt" % self.tiles_of(8)[0]
        paths = ["/records?fields=nope", "/records?filter=(((", "/records?filter=nope%20%3D%201", f"/records?filter={number}%20LIKE%20'a'", "/records?sort=nope", "/records?cursor=zz", "/records?cursor=%00",
                 "/records?offset=-1", "/records?offset=99999999999999", "/records?offset=x", "/records.csv?fields=nope", "/records.xlsx?filter=(", "/records.geojson?sort=nope",
                 "/aggregate?group=nope", "/aggregate?measure=nope", "/aggregate?measure=sum()", "/aggregate?measure=sum(nope)", f"/aggregate?measure=sum({text})", f"/aggregate?measure=mean({text})",
                 f"/aggregate?measure=p50({text})", f"/aggregate?measure=p101({number})", f"/aggregate?measure=p-1({number})", f"/aggregate?measure=pnan({number})", f"/aggregate?measure=pinf({number})",
                 f"/aggregate?measure=p({number})", f"/aggregate?group=month({text})", f"/aggregate?group=decade({text})", "/aggregate?sort=nope", "/aggregate?group=a,b,c,d,e",
                 "/aggregate?measure=" + ",".join(f"p{percent}({number})" for percent in range(21)), "/aggregate?filter=1", "/aggregate?filter=" + "(" * 5000, "/aggregate?filter=" + quote("NOT " * 2000 + f"{number} = 1"),
                 "/records?filter=" + quote(f"{number} = " + "9" * 400), f"{tile}?fields=nope", f"{tile}?filter=((", f"{tile}?filter=nope%3D1",
                 "/tiles/0/1/0.mvt", "/tiles/0/0/-1.mvt", "/tiles/23/0/0.mvt", "/tiles/-1/0/0.mvt", "/tiles/64/0/0.mvt", "/tiles/a/b/c.mvt", "/tiles/1/1/1.png", "/tiles/8/9223372036854775808/0.mvt",
                 "/tiles/9223372036854775807/0/0.mvt", "/nope"]
        bad = []
        for path in paths:
            r = self.ask(path)
            if not 400 <= r.status_code < 500 or not r.headers["Content-Type"].startswith(PROBLEM):
                bad.append(f"{path[:80]}: {r.status_code} {r.headers['Content-Type']}")
            else:
                d = json.loads(r.body)
                if d["status"] != r.status_code or not d["code"] or not d["title"]:
                    bad.append(f"{path[:80]}: {d}")
        for path in ("/records", "/records.csv", "/aggregate", "/data-versions", "/difference?from=1&to=1", "/tiles/0/0/0.mvt", "/tiles.json", "/datapackage.json", "/package.zip", "/schema.json"):
            r = self.ask(path, base=f"{self.base}/api/v1/resources/999999-999999")
            if r.status_code != 404 or not r.headers["Content-Type"].startswith(PROBLEM):
                bad.append(f"999999-999999{path}: {r.status_code}")
        need(not bad, "; ".join(bad))
        return f"{len(paths)} requests"

    # What is asked in bad faith
    def repeated(self):
        """Asking for one thing often does not make the answer long, nor its objects have a name twice."""
        def once(pairs):
            names = [k for k, _ in pairs]
            need(len(names) == len(set(names)), f"a name twice in {names[:6]}")
            return dict(pairs)
        g, n = self.fields[0]["name"], json.loads(self.right("/data-versions").body)["versions"][0]["version"]
        bad = []
        for one, often in ((f"/records?fields={g}", "/records?fields=" + ",".join([g] * 200)), (f"/records.csv?fields={g}", "/records.csv?fields=" + ",".join([g] * 200)),
                           (f"/records?version={n}&fields={g}", f"/records?version={n}&fields=" + ",".join([g] * 200)),
                           (f"/records.csv?version={n}&fields={g}", f"/records.csv?version={n}&fields=" + ",".join([g] * 200)),
                           (f"/aggregate?group={self.group()}", f"/aggregate?group={self.group()},{self.group()}&measure=count,count"),
                           (f'{self.base}/api/3/action/package_search?rows=0&facet.field=["tags"]', f"{self.base}/api/3/action/package_search?rows=0&facet.field=" + json.dumps(["tags"] * 200))):
            a, b = self.ask(one), self.ask(often)
            if b.status_code == 200 and len(b.body) > 3 * len(a.body) + 3000:
                bad.append(f"{one}: {len(b.body)} bytes for 200 times, {len(a.body)} for one")
            if b.status_code == 200 and b.headers["Content-Type"].startswith("application/json"):
                try:
                    json.loads(b.body, object_pairs_hook=once)
                except AssertionError as e:
                    bad.append(f"{often[:80]}: {e}")
        need(not bad, "; ".join(bad))

    def many(self):
        """The work for a form grows as the form does."""
        begun = time.monotonic()
        self.session.post(f"{self.base}/api/3/action/package_list", data="a=&" * 20000, headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=60)
        taken = time.monotonic() - begun
        need(taken < 1, f"20,000 parameters of one name take {taken:.1f} s")

    def hostile(self):
        """Requests that have ended nodes: an answer, whichever, and the node goes on."""
        shown = json.loads(self.right(f"{self.base}/api/3/action/package_show?id={self.o.code}").body)["result"]["resources"][0]["id"]
        f = self.fields[0]["name"]
        asked = ["/api/3/action/organization_list?sort=%20", "/api/3/action/group_list?order_by=%20%20", "/api/3/action/organization_list?sort=%20&all_fields=true",
                 "/api/3/action/package_search?fq=metadata_modified:" + quote("[NOW-999999YEAR TO NOW]"), "/api/3/action/package_search?fq=metadata_modified:" + quote("[NOW+200000YEAR+200000YEAR TO *]"),
                 "/api/3/action/package_search?fq=metadata_modified:" + quote("[9999999999-12-31T00:00:00Z TO *]"), f"/api/3/action/datastore_search?resource_id={shown}&distinct=true&fields={f},{f}"]
        asked += [f"/datastore/dump/{shown}?format={form}&fields={f},{f}" for form in ("csv", "tsv", "json", "xml")]
        asked += [f"/api/3/action/datastore_search?resource_id={shown}&records_format={form}&fields={f},{f}" for form in ("csv", "tsv", "lists", "objects")]
        for path in asked:
            try:
                self.ask(self.base + path)
                need(self.ask(f"{self.base}/healthz").status_code == 200, "not healthy")
            except Exception as e:
                raise AssertionError(f"{path} ends the node ({type(e).__name__} {str(e)[:80]})")
        return f"{len(asked)} requests"

    def all(self):
        self.run("load", self.load)
        if self.failed:
            return 1
        for name in ("marks", "marks_forms", "marks_queries", "marks_accept", "marks_304", "codings", "codings_chosen", "codings_twice", "codings_small", "ranges", "ranges_beyond", "ranges_whole", "ranges_if",
                     "ranges_coded", "ranges_elsewhere", "resume", "head", "head_length", "wire", "wire_bad", "cors", "cors_identified", "cors_preflight", "unlimited", "versions", "difference", "difference_rows",
                     "measures", "measures_more", "tiles_far", "tiles_near", "tiles_fields", "tiles_json", "wrong"):
            self.run(name, getattr(self, name))
        if self.o.password:
            self.run("session_cors", self.session_cors)
        if self.o.limited:
            self.run("limited", self.limited)
        for name in ("repeated", "many", "hostile"):
            self.run(name, getattr(self, name))
        return 1 if self.failed else 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("base_url")
    a.add_argument("code")
    a.add_argument("--limited", help="a node with TONGQU_RATE_LIMIT=30")
    a.add_argument("--login", default="clerk")
    a.add_argument("--password", default=os.environ.get("TONGQU_DEMO_PASSWORD"))
    return Check(a.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
