#!/usr/bin/env python3
"""Checks an OGC API (Features parts 1-3, Records) from outside.

    features.py BASE_URL COLLECTION [--catalogue ID] [--no-gdal] [--strict] [--max-rows N] [--header 'Name: value']

BASE_URL is the node's root (the API is under /ogc) or the landing page itself. Every row of the collection is read once;
what filters answer is compared with what these rows say. One line per check: `ok NAME`, `FAIL NAME: why`, or
`skip NAME: why` where the collection or the declared conformance gives nothing to check. Exit 1 on any FAIL
(with --strict on any skip too), 2 when the checks could not begin.
"""
import argparse, json, math, os, re, subprocess, sys, tempfile
from datetime import date, datetime, timedelta, timezone
from urllib.parse import quote, urljoin, urlsplit

import requests

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
F1, F2, F3 = (f"http://www.opengis.net/spec/ogcapi-features-{n}/1.0/conf/" for n in (1, 2, 3))
CQL = "http://www.opengis.net/spec/cql2/1.0/conf/"
REC = "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/"
REL = "http://www.opengis.net/def/rel/ogc/1.0/"
REQUIRED = [F1 + "core", F1 + "geojson", F2 + "crs", F3 + "queryables", F3 + "filter", F3 + "features-filter",
            CQL + "basic-cql2", CQL + "cql2-text", CQL + "cql2-json",
            REC + "record-core", REC + "record-collection", REC + "record-core-query-parameters", REC + "records-api",
            REC + "searchable-catalog", REC + "json"]
CHINA = (73.0, 3.0, 136.0, 54.0)
OPEN_API = re.compile(r"application/vnd\.oai\.openapi\+json\s*;\s*version=3\.[01]", re.I)


class Skip(Exception):
    pass


def need(condition, why):
    if not condition:
        raise AssertionError(why)


class Report:
    def __init__(self):
        self.ok = self.failed = self.skipped = 0

    def run(self, name, body):
        try:
            body()
        except Skip as e:
            self.skipped += 1
            print(f"skip {name}: {e}")
        except (AssertionError, requests.RequestException, RuntimeError, KeyError, TypeError, ValueError, IndexError,
                AttributeError, subprocess.SubprocessError, OSError) as e:
            self.failed += 1
            kind = "" if isinstance(e, AssertionError) else type(e).__name__ + " "
            print(f"FAIL {name}: " + " ".join((kind + str(e)).split())[:400])
        else:
            self.ok += 1
            print(f"ok {name}")
        sys.stdout.flush()


class Client:
    def __init__(self, landing, headers):
        self.landing = landing.rstrip("/")
        self.session = requests.Session()
        self.session.headers.update({"User-Agent": "check_ogc"} | headers)

    def get(self, path, query=None, accept=None, raw=None):
        """`query` is encoded here (%20, not +); `raw` is added as it stands."""
        url = path if "://" in path else self.landing + path
        parts = [f"{quote(k, safe='')}={quote(str(v), safe='')}" for k, v in (query or {}).items()]
        if raw:
            parts.append(raw)
        if parts:
            url += ("&" if "?" in url else "?") + "&".join(parts)
        return self.session.get(url, headers={"Accept": accept} if accept else {}, timeout=120)

    def json(self, path, query=None, accept="application/geo+json, application/json, application/schema+json;q=0.9",
             raw=None):
        r = self.get(path, query, accept, raw)
        need(r.status_code == 200, f"{r.status_code} for {r.url}: {r.text[:200]}")
        return r.json(), r


def media(r):
    return r.headers.get("Content-Type", "").split(";")[0].strip().lower()


def links(doc, rel):
    return [l for l in doc.get("links", []) if l.get("rel") == rel]


def linked(doc, rel, where, kinds=None):
    found = links(doc, rel)
    need(found, f"no link {rel} in {where}")
    need(all(urlsplit(l["href"]).scheme in ("http", "https") for l in found), f"link {rel} in {where} is not absolute")
    if kinds:
        found = [l for l in found if (l.get("type") or "").split(";")[0].strip() in kinds]
        need(found, f"no link {rel} of type {'/'.join(kinds)} in {where}")
    return found[0]["href"]


# Geometry
def vertices(g):
    if not g:
        return []
    if g["type"] == "GeometryCollection":
        return [v for x in g["geometries"] for v in vertices(x)]
    out, stack = [], [g["coordinates"]]
    while stack:
        c = stack.pop()
        if c and isinstance(c[0], (int, float)):
            out.append((c[0], c[1]))
        else:
            stack.extend(c)
    return out


def ordered(g):
    """Positions in document order."""
    if g["type"] == "GeometryCollection":
        return [p for x in g["geometries"] for p in ordered(x)]

    def walk(c):
        return [tuple(c[:2])] if c and isinstance(c[0], (int, float)) else [p for x in c for p in walk(x)]
    return walk(g["coordinates"])


def mercator(x, y):
    r = 6378137.0
    return math.radians(x) * r, math.log(math.tan(math.pi / 4 + math.radians(y) / 2)) * r


AXES = {EPSG + "4326": lambda x, y: (y, x), EPSG + "4490": lambda x, y: (y, x), EPSG + "3857": mercator, CRS84: lambda x, y: (x, y)}


def box_in(box, crs):
    a, b = AXES[crs](box[0], box[1]), AXES[crs](box[2], box[3])
    return [min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])]


def plain(x):
    return f"{x:.9f}".rstrip("0").rstrip(".")


class Truth:
    """All rows, and what they say a filter should find."""

    def __init__(self):
        self.rows, self.ids = {}, []

    def sides(self, box, eps=1e-6):
        """Ids that must meet a box, and ids that may."""
        must, may = set(), set()
        for i, f in self.rows.items():
            v = vertices(f.get("geometry"))
            if not v:
                continue
            xs, ys = [p[0] for p in v], [p[1] for p in v]
            if min(xs) <= box[2] + eps and max(xs) >= box[0] - eps and min(ys) <= box[3] + eps and max(ys) >= box[1] - eps:
                may.add(i)
            if any(box[0] + eps < x < box[2] - eps and box[1] + eps < y < box[3] - eps for x, y in v):
                must.add(i)
        return must, may

    def value(self, i, name):
        return (self.rows[i].get("properties") or {}).get(name)


def between(must, got, may, what):
    need(must <= got, f"{what}: {len(must - got)} rows are missing, such as {sorted(map(str, must - got))[:3]}")
    need(got <= may, f"{what}: {len(got - may)} rows too many, such as {sorted(map(str, got - may))[:3]}")


def moment(text):
    """(instant, is whole day); a time without zone is taken as UTC."""
    if not isinstance(text, str):
        return None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        d = date.fromisoformat(text)
        return datetime(d.year, d.month, d.day, tzinfo=timezone.utc), True
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", text):
        t = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
        return (t if t.tzinfo else t.replace(tzinfo=timezone.utc)), False
    return None


class Features:
    def __init__(self, client, cid, report, limit_rows):
        self.c, self.id, self.report, self.limit_rows = client, cid, report, limit_rows
        self.base = f"/collections/{quote(cid, safe='')}"
        self.items = self.base + "/items"
        self.truth, self.conf = Truth(), set()
        self.meta, self.queryables, self.schema, self.api = {}, {}, {}, {}
        self.page_limit = 1000

    # Reading
    def walk(self, query, path=None, cap=None, raw=None):
        """All features of a query along next links: [(id, feature)], pages."""
        doc, r = self.c.json(path or self.items, query, raw=raw)
        out, pages, seen = [], 0, set()
        while True:
            pages += 1
            need(doc.get("type") == "FeatureCollection", f"{r.url} is no FeatureCollection")
            fs = doc["features"]
            if "numberReturned" in doc:
                need(doc["numberReturned"] == len(fs), f"numberReturned {doc['numberReturned']} but {len(fs)} features")
            need(len(fs) <= int(query.get("limit", 10**9)), f"{len(fs)} features for limit {query.get('limit')}")
            out += [(f.get("id"), f) for f in fs]
            if cap and len(out) > cap:
                raise AssertionError(f"more than {cap} rows: give a smaller collection or --max-rows")
            nxt = links(doc, "next")
            if not nxt:
                return out, pages, doc
            need(fs, f"an empty page with a next link: {r.url}")
            href = urljoin(r.url, nxt[0]["href"])
            need(href not in seen, "next links go round")
            seen.add(href)
            doc, r = self.c.json(href)

    def ids(self, query, raw=None):
        got = [i for i, _ in self.walk(query | {"limit": self.page_limit}, raw=raw)[0]]
        need(len(got) == len(set(got)), "a row came twice")
        return set(got)

    def bad(self, query=None, path=None, raw=None, status=400):
        r = self.c.get(path or self.items, query, "application/geo+json, application/json", raw)
        need(r.status_code == status, f"{r.status_code} instead of {status} for {r.url}")
        need(media(r) in ("application/problem+json", "application/json"), f"{status} answered as {media(r) or 'no type'}: {r.url}")
        doc = r.json()
        need(isinstance(doc, dict) and ("code" in doc or "title" in doc or "type" in doc), f"{status} body says neither code nor title: {doc}")
        if isinstance(doc.get("status"), int):
            need(doc["status"] == status, f"body says status {doc['status']}, answer {status}")

    # Choices from the rows
    def names(self, kind):
        """Names of queryables whose values in the rows are of a kind, the most telling first."""
        out = []
        for name in self.queryables.get("properties", {}):
            if name not in self.first()["properties"]:
                continue
            vs = [self.truth.value(i, name) for i in self.truth.rows]
            real = [v for v in vs if v is not None]
            if not real:
                continue
            if kind == "number" and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in real) or \
               kind == "time" and all(moment(v) for v in real) or \
               kind == "text" and all(isinstance(v, str) for v in real) and not all(moment(v) for v in real):
                if len(set(real)) > 1:
                    out.append((len(set(real)), name))
        return [n for _, n in sorted(out)]

    def first(self):
        return next(iter(self.truth.rows.values()))

    def one(self, kind):
        names = self.names(kind)
        if not names:
            raise Skip(f"no queryable property with {kind} values")
        return names[0]

    def some_text(self):
        """A text property and a value that some rows have and some have not."""
        for name in self.names("text"):
            vs = [self.truth.value(i, name) for i in self.truth.rows]
            for v in sorted({v for v in vs if v}, key=lambda v: (-vs.count(v), v)):
                if "%" not in v and "_" not in v and "\\" not in v:
                    return name, v
        raise Skip("no queryable text")

    def where(self, test):
        return {i for i in self.truth.rows if test(i)}

    @staticmethod
    def ref(name):
        return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'

    @staticmethod
    def text(v):
        return "'" + v.replace("'", "''") + "'"

    def box(self):
        """A box around the middle of the data."""
        v = [p for f in self.truth.rows.values() for p in vertices(f.get("geometry"))[:1]]
        need(v, "no geometry in the rows")
        xs, ys = sorted(p[0] for p in v), sorted(p[1] for p in v)
        q = lambda l, f: l[min(len(l) - 1, int(len(l) * f))]
        b = [q(xs, .25) - 1.3e-5, q(ys, .25) - 1.3e-5, q(xs, .75) + 1.3e-5, q(ys, .75) + 1.3e-5]
        return [float(plain(x)) for x in b]

    # Checks
    def all(self):
        run = self.report.run
        for name in ("landing", "api_definition", "conformance", "collections", "collection", "collection_extent",
                     "collection_crs", "html"):
            run(name, getattr(self, "check_" + name))
        run("queryables", self.check_queryables)
        run("schema", self.check_schema)
        run("items_all_once", self.check_all)
        if not self.truth.rows:
            print("FAIL features: without rows nothing further can be checked")
            self.report.failed += 1
            return
        for name in ("items_response", "items_default_limit", "items_paging_small", "items_limit_clamped", "items_count",
                     "bbox", "bbox_none", "bbox_six", "bbox_crs_4326", "bbox_crs_4490", "bbox_crs_3857", "datetime",
                     "datetime_half", "datetime_day", "crs_default_header", "crs_84", "crs_4326", "crs_4490", "crs_3857", "crs_paging",
                     "filter_text_equals", "filter_text_escape", "filter_text_compare", "filter_text_logic", "filter_text_null",
                     "filter_text_like", "filter_text_in", "filter_text_between", "filter_text_time",
                     "filter_text_bbox", "filter_text_polygon", "filter_crs", "filter_json_equals", "filter_json_logic",
                     "filter_json_advanced", "filter_json_spatial", "filter_paging", "filter_with_bbox", "queryable_parameter",
                     "sortby", "sortby_plus", "sortby_paging", "properties", "properties_paging",
                     "single", "single_links", "single_crs", "every_parameter_described"):
            run(name, getattr(self, "check_" + name))
        self.check_errors()

    def check_landing(self):
        doc, r = self.c.json("", accept="application/json")
        need(media(r) == "application/json", f"landing page is {media(r)}")
        for url in (self.c.landing + "/", self.c.landing):
            again = self.c.get(url, accept="*/*")
            need(again.status_code == 200 and "json" in media(again), f"{url} with Accept */* gives {again.status_code} {media(again)} (owslib asks so)")
        linked(doc, "self", "landing")
        conf = links(doc, "conformance") or links(doc, REL + "conformance")
        data = links(doc, "data") or links(doc, REL + "data")
        need(conf and data, "landing lacks link conformance or data")
        need(links(doc, "service-desc") or links(doc, "service-doc"), "landing lacks service-desc and service-doc")
        for l in doc["links"]:
            need(l.get("href") and l.get("rel") and l.get("type"), f"a link without href, rel or type (owslib, GDAL): {l}")
        for l in conf[:1] + data[:1]:
            need(self.c.get(urljoin(r.url, l["href"]), accept="application/json").status_code == 200, f"{l['href']} does not answer")

    def check_api_definition(self):
        doc, r = self.c.json("")
        found = [l for l in links(doc, "service-desc") if OPEN_API.fullmatch(l.get("type", ""))]
        need(found, f"no service-desc of type application/vnd.oai.openapi+json;version=3.0: {[l.get('type') for l in links(doc, 'service-desc')]}")
        a = self.c.get(urljoin(r.url, found[0]["href"]), accept="application/vnd.oai.openapi+json;version=3.0, application/json")
        need(a.status_code == 200 and "json" in media(a), f"{a.url}: {a.status_code} {media(a)}")
        self.api = a.json()
        need(str(self.api.get("openapi", "")).startswith("3."), "no OpenAPI 3 document")
        said = re.search(r"version=(3\.[01])", found[0]["type"]).group(1)
        need(self.api["openapi"].startswith(said), f"link says {said}, document {self.api['openapi']}")
        need(any(p.rstrip("/").endswith("/items") for p in self.api["paths"]), "no path …/items in the definition")

    def check_conformance(self):
        doc, _ = self.c.json("/conformance")
        self.conf = set(doc["conformsTo"])
        missing = [u for u in REQUIRED if u not in self.conf]
        need(not missing, "not declared: " + ", ".join(missing))
        odd = [u for u in self.conf if not u.startswith("http")]
        need(not odd, f"no URIs: {odd}")
        if self.api:
            which = "oas31" if self.api["openapi"].startswith("3.1") else "oas30"
            need(any(u.endswith("/" + which) for u in self.conf), f"the definition is {self.api['openapi']}, but {which} is not declared")

    def check_collections(self):
        doc, r = self.c.json("/collections")
        linked(doc, "self", "/collections")
        ids = [c["id"] for c in doc["collections"]]
        need(self.id in ids, f"{self.id} is not among {ids[:20]}")
        need(len(ids) == len(set(ids)), "an id twice")
        for c in doc["collections"]:
            need(isinstance(c.get("itemType", "feature"), str), f"itemType of {c['id']} is not a string (owslib fails)")
            linked(c, "items", c["id"])
        from owslib.ogcapi.features import Features as Owslib
        w = Owslib(self.c.landing, headers=dict(self.c.session.headers))
        need(self.id in w.feature_collections(), "owslib does not see it: itemType must be given as \"feature\"")
        need(w.collection(self.id)["id"] == self.id, "owslib collection")
        need(w.collection_queryables(self.id).get("properties"), "owslib queryables")
        need(w.collection_items(self.id, limit=3)["features"], "owslib items")

    def check_collection(self):
        self.meta, r = self.c.json(self.base)
        need(self.meta["id"] == self.id, "id")
        linked(self.meta, "self", self.base)
        linked(self.meta, "items", self.base, ("application/geo+json",))
        linked(self.meta, REL + "queryables", self.base, ("application/schema+json",))
        need(self.meta.get("title"), "no title")
        listed = [c for c in self.c.json("/collections")[0]["collections"] if c["id"] == self.id][0]
        for k in ("title", "extent", "crs", "storageCrs", "itemType"):
            need(listed.get(k) == self.meta.get(k), f"{k} differs between /collections and the collection")

    def check_collection_extent(self):
        e = self.meta["extent"]["spatial"]
        need(e.get("crs", CRS84) == CRS84, f"extent in {e.get('crs')}")
        b = e["bbox"][0]
        need(isinstance(b, list) and len(b) in (4, 6), "bbox must be an array of arrays")
        w, s, x, n = (b[0], b[1], b[2], b[3]) if len(b) == 4 else (b[0], b[1], b[3], b[4])
        need(w <= x and s <= n and CHINA[0] <= w and x <= CHINA[2] and CHINA[1] <= s and n <= CHINA[3], f"not longitude, latitude in China: {b}")
        t = self.meta["extent"].get("temporal")
        if t:
            for pair in t["interval"]:
                need(len(pair) == 2, "a temporal interval has two ends")
                for end in pair:
                    need(end is None or (moment(end) and not moment(end)[1]), f"extent.temporal must have RFC 3339 date-times or null, not {end}")

    def check_collection_crs(self):
        crs = self.meta["crs"]
        for u in (CRS84, EPSG + "4326", EPSG + "3857"):
            need(u in crs, f"{u} is not listed")
        # A shifted system of Chinese maps has no register's name: the node's own page says what it is.
        need(all(u.startswith("http") and "/def/crs/" in u or u == "#/crs" for u in crs), f"CRS not as http URIs: {crs}")
        for own in (u for u in crs if not u.startswith("http://www.opengis.net/")):
            need(requests.get(own, timeout=30).status_code == 200, f"{own} does not say what it is")
        if "storageCrs" in self.meta:
            need(self.meta["storageCrs"] in crs, "storageCrs is not in the list")

    def check_html(self):
        if F1 + "html" not in self.conf:
            raise Skip("HTML is not declared")
        for path in ("", "/collections", self.base, self.items):
            r = self.c.get(path, accept="text/html")
            need(r.status_code == 200 and media(r) == "text/html", f"{path or '/'} as text/html: {r.status_code} {media(r)}")

    def check_queryables(self):
        self.queryables = self.schema_like("queryables")

    def check_schema(self):
        self.schema = self.schema_like("schema")

    def schema_like(self, kind):
        doc, r = self.c.json(f"{self.base}/{kind}", accept="application/schema+json")
        need(media(r) == "application/schema+json", f"{kind} is {media(r)}")
        need(doc.get("$schema") in ("https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema"), f"$schema {doc.get('$schema')}")
        need(doc.get("$id", "").endswith(f"/{kind}") and "?" not in doc["$id"], f"$id {doc.get('$id')}")
        need(doc.get("type") == "object" and doc.get("properties"), "no object with properties")
        for n, p in doc["properties"].items():
            spatial = str(p.get("format", "")).startswith("geometry-")
            need(spatial or "type" in p or "$ref" in p or "enum" in p, f"{n} has neither type nor a geometry format")
            need(not (spatial and "type" in p), f"{n}: a geometry has a format and no type")
        return doc

    def check_all(self):
        if "limit" in self.api_parameters():
            self.page_limit = min(1000, self.api_parameters()["limit"].get("schema", {}).get("maximum", 1000))
        got, pages, doc = self.walk({"limit": self.page_limit}, cap=self.limit_rows)
        for i, f in got:
            need(i is not None and i != "", "a feature without id")
            need(i not in self.truth.rows, f"{i} came twice")
            need(f["type"] == "Feature" and "geometry" in f and "properties" in f, f"{i} is no Feature")
            self.truth.rows[i] = f
            self.truth.ids.append(i)
        need(len(got) >= 100, f"only {len(got)} rows; the checks want 100")
        v = [p for f in self.truth.rows.values() for p in vertices(f["geometry"])]
        need(v and all(CHINA[0] <= x <= CHINA[2] and CHINA[1] <= y <= CHINA[3] for x, y in v), "positions are not longitude, latitude in China")
        b = self.meta.get("extent", {}).get("spatial", {}).get("bbox", [[-180, -90, 180, 90]])[0]
        if len(b) == 4:
            need(all(b[0] - 1e-6 <= x <= b[2] + 1e-6 and b[1] - 1e-6 <= y <= b[3] + 1e-6 for x, y in v), "rows lie outside the extent")
        props = set(self.schema.get("properties", {}))
        extra = set(self.first()["properties"]) - props
        need(not props or not extra, f"properties that the schema does not have: {sorted(extra)}")

    def api_parameters(self):
        """Parameters of the items path in the API definition, by name."""
        paths = self.api.get("paths", {})
        found = [p for p in paths if p.endswith(self.items)] or \
                [p for p in paths if re.search(r"/collections/\{[^}]+\}/items$", p)]
        out = {}
        for p in found[:1]:
            for q in paths[p].get("parameters", []) + paths[p].get("get", {}).get("parameters", []):
                while "$ref" in q:
                    at = self.api
                    for part in q["$ref"].lstrip("#/").split("/"):
                        at = at[part.replace("~1", "/")]
                    q = at
                out[q["name"]] = q
        return out

    def check_items_response(self):
        doc, r = self.c.json(self.items, {"limit": 5})
        need(media(r) == "application/geo+json", f"items are {media(r)}")
        linked(doc, "self", "items", ("application/geo+json",))
        linked(doc, "next", "items", ("application/geo+json",))
        need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", doc.get("timeStamp", "")), f"timeStamp {doc.get('timeStamp')}")
        need(doc.get("numberReturned") == 5, "numberReturned")
        need("crs" not in doc, "a member crs: RFC 7946 has none")
        if F1 + "html" in self.conf:
            linked(doc, "alternate", "items", ("text/html",))
        star = self.c.get(self.items, {"limit": 1}, "*/*")
        need("json" in media(star), f"items with Accept */* are {media(star)}")

    def check_items_default_limit(self):
        doc, _ = self.c.json(self.items)
        need(0 < len(doc["features"]) <= 10000, f"{len(doc['features'])} features without limit")
        said = self.api_parameters().get("limit", {}).get("schema", {}).get("default")
        need(said is None or len(doc["features"]) == min(said, len(self.truth.rows)), f"default limit is described as {said}, {len(doc['features'])} came")
        need(len(doc["features"]) >= len(self.truth.rows) or links(doc, "next"), "no next link")

    def check_items_paging_small(self):
        n = len(self.truth.rows)
        size = max(7, min(self.page_limit, n // 9))
        got = [i for i, _ in self.walk({"limit": size})[0]]
        need(len(got) == n and set(got) == set(self.truth.ids), f"pages of {size} give {len(got)} rows, {len(set(got))} of them different, of {n}")

    def check_items_limit_clamped(self):
        doc, _ = self.c.json(self.items, {"limit": 1000000})
        most = self.api_parameters().get("limit", {}).get("schema", {}).get("maximum")
        need(not most or len(doc["features"]) <= most, f"{len(doc['features'])} features above the described maximum {most}")

    def check_items_count(self):
        doc, _ = self.c.json(self.items, {"limit": 2})
        if "numberMatched" not in doc:
            raise Skip("no numberMatched")
        need(doc["numberMatched"] == len(self.truth.rows), f"numberMatched {doc['numberMatched']}, rows {len(self.truth.rows)}")
        b = self.box()
        doc, _ = self.c.json(self.items, {"limit": 2, "bbox": ",".join(map(plain, b))})
        need("numberMatched" not in doc or doc["numberMatched"] == len(self.ids({"bbox": ",".join(map(plain, b))})), "numberMatched with a bbox")

    # bbox
    def check_bbox(self):
        b = self.box()
        must, may = self.truth.sides(b)
        got = self.ids({"bbox": ",".join(map(plain, b))})
        between(must, got, may, "bbox")
        need(0 < len(got) < len(self.truth.rows) or len(may) == len(self.truth.rows), "the box does not tell rows apart")
        raw = self.ids({}, raw="bbox=" + ",".join(map(plain, b)))
        need(raw == got, "bbox with literal commas differs")

    def check_bbox_none(self):
        doc, _ = self.c.json(self.items, {"bbox": "-30.5,-20.5,-30,-20"})
        need(doc["features"] == [] and not links(doc, "next"), "rows in the Atlantic")

    def check_bbox_six(self):
        b = self.box()
        got = self.ids({"bbox": ",".join(map(plain, [b[0], b[1], -100, b[2], b[3], 9000]))})
        between(*(lambda s: (s[0], got, s[1]))(self.truth.sides(b)), "bbox of six numbers")

    def bbox_crs(self, crs):
        self.listed(crs)
        b = self.box()
        must, may = self.truth.sides(b, 1e-5)
        got = self.ids({"bbox": ",".join(map(plain, box_in(b, crs))), "bbox-crs": crs})
        between(must, got, may, f"bbox-crs {crs}")

    def check_bbox_crs_4326(self): self.bbox_crs(EPSG + "4326")
    def check_bbox_crs_4490(self): self.bbox_crs(EPSG + "4490")
    def check_bbox_crs_3857(self): self.bbox_crs(EPSG + "3857")

    def listed(self, crs):
        if crs not in self.meta.get("crs", []):
            raise Skip(f"{crs} is not listed")

    # datetime
    def times(self):
        """Per row (low day, high day) or None, of what the collection says is its time."""
        if not self.meta.get("extent", {}).get("temporal"):
            raise Skip("the collection has no temporal extent")
        props = self.schema.get("properties", {}) or self.queryables.get("properties", {})
        role = lambda r: [n for n, p in props.items() if p.get("x-ogc-role") == r]
        lo, hi = role("primary-instant") or role("primary-interval-start"), role("primary-instant") or role("primary-interval-end")
        if not lo and not hi:
            lo = hi = [n for n, p in props.items() if p.get("format") in ("date", "date-time")][:1]
            if not lo:
                raise Skip("no property with a time")
            if len([n for n, p in props.items() if p.get("format") in ("date", "date-time")]) > 1:
                raise Skip("several times and no x-ogc-role primary-instant / primary-interval-start says which")
        out = {}
        for i in self.truth.rows:
            a = moment(self.truth.value(i, lo[0])) if lo else None
            b = moment(self.truth.value(i, hi[0])) if hi else None
            out[i] = None if not a and not b else (a[0].astimezone(timezone.utc) if a else None, b[0].astimezone(timezone.utc) if b else None)
        return out

    def time_check(self, low, high, text):
        """Rows that meet [low, high]; a day's tolerance at the ends (days are of a zone that is not said)."""
        day, inf = timedelta(days=1), datetime.max.replace(tzinfo=timezone.utc) - timedelta(days=3)
        zero = datetime.min.replace(tzinfo=timezone.utc) + timedelta(days=3)
        low, high = low or zero, high or inf
        must, may = set(), set()
        for i, t in self.times().items():
            if t is None:
                must.add(i); may.add(i)
                continue
            a, b = t[0] or zero, t[1] or inf
            if a <= high + day and b >= low - day:
                may.add(i)
            if a <= high - day and b >= low + day:
                must.add(i)
        got = self.ids({"datetime": text})
        between(must, got, may, f"datetime {text}")
        return got

    def quantiles(self):
        ts = sorted(t[0] or t[1] for t in self.times().values() if t)
        if len(set(ts)) < 2:
            raise Skip("the rows have one time only")
        return ts[len(ts) // 4], ts[len(ts) * 3 // 4]

    def check_datetime(self):
        a, b = self.quantiles()
        z = lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.time_check(a, b, f"{z(a)}/{z(b)}")
        n = sum(1 for t in self.times().values() if t is None)
        far = self.ids({"datetime": "1890-01-01T00:00:00Z/1890-01-02T00:00:00Z"})
        if all(t is None or t[0] for t in self.times().values()):
            need(len(far) == n, f"{len(far)} rows in 1890; {n} rows have no time and they match every datetime")

    def check_datetime_half(self):
        a, b = self.quantiles()
        z = lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ")
        for text in (f"{z(a)}/..", f"{z(a)}/"):
            self.time_check(a, None, text)
        for text in (f"../{z(b)}", f"/{z(b)}"):
            self.time_check(None, b, text)

    def check_datetime_day(self):
        a, b = self.quantiles()
        self.time_check(a, b, f"{a.date()}/{b.date()}")
        self.time_check(a, a, a.strftime("%Y-%m-%dT%H:%M:%S+00:00"))

    # CRS of Part 2
    def check_crs_default_header(self):
        _, r = self.c.json(self.items, {"limit": 1})
        need(r.headers.get("Content-Crs") == f"<{CRS84}>", f"Content-Crs is {r.headers.get('Content-Crs')}, expected <{CRS84}>")

    def crs(self, crs, tolerance):
        self.listed(crs)
        doc, r = self.c.json(self.items, {"limit": 50, "crs": crs})
        need(r.headers.get("Content-Crs") == f"<{crs}>", f"Content-Crs is {r.headers.get('Content-Crs')}")
        seen = 0
        for f in doc["features"]:
            home = self.truth.rows[f["id"]]["geometry"]
            if not home:
                continue
            a, b = ordered(home), ordered(f["geometry"])
            need(len(a) == len(b), f"{f['id']} has {len(b)} positions instead of {len(a)}")
            for p, q in zip(a, b):
                want = AXES[crs](*p)
                need(abs(want[0] - q[0]) <= tolerance and abs(want[1] - q[1]) <= tolerance, f"{f['id']}: {q} for {p}, expected {want} (axis order of the CRS)")
                seen += 1
        need(seen, "no positions")

    def check_crs_84(self): self.crs(CRS84, 1e-9)
    def check_crs_4326(self): self.crs(EPSG + "4326", 1e-7)
    def check_crs_4490(self): self.crs(EPSG + "4490", 1e-5)
    def check_crs_3857(self): self.crs(EPSG + "3857", 0.6)

    def check_crs_paging(self):
        self.listed(EPSG + "3857")
        doc, r = self.c.json(self.items, {"limit": 3, "crs": EPSG + "3857"})
        nxt, r = self.c.json(urljoin(r.url, links(doc, "next")[0]["href"]))
        need(r.headers.get("Content-Crs") == f"<{EPSG}3857>", "the next page lost crs")

    # Filters
    def by(self, filter, lang=None, **more):
        q = {"filter": filter if isinstance(filter, str) else json.dumps(filter, ensure_ascii=False)}
        if lang:
            q["filter-lang"] = lang
        return self.ids(q | {k.replace("_", "-"): v for k, v in more.items()})

    def same(self, want, got, what):
        between(want, got, want, what)

    def check_filter_text_equals(self):
        n, v = self.some_text()
        want = self.where(lambda i: self.truth.value(i, n) == v)
        e = f"{self.ref(n)} = {self.text(v)}"
        self.same(want, self.by(e, "cql2-text"), e)
        self.same(want, self.by(e), e + " without filter-lang")
        not_ = self.where(lambda i: self.truth.value(i, n) not in (v, None))
        self.same(not_, self.by(f"{self.ref(n)} <> {self.text(v)}", "cql2-text"), "<>")

    def check_filter_text_escape(self):
        n, _ = self.some_text()
        values = {self.truth.value(i, n) for i in self.truth.rows if self.truth.value(i, n)}
        v = next((x for x in sorted(values) if "'" in x), None) or "没有' OR '1'='1"
        self.same(self.where(lambda i: self.truth.value(i, n) == v), self.by(f'"{n}" = {self.text(v)}', "cql2-text"), f"{n} = {v}")

    def numbers(self):
        n = self.names("number")[-1] if self.names("number") else self.one("number")
        vs = sorted(self.truth.value(i, n) for i in self.truth.rows if self.truth.value(i, n) is not None)
        return n, vs[len(vs) // 3], vs[len(vs) * 2 // 3]

    def check_filter_text_compare(self):
        n, a, _ = self.numbers()
        for op, f in ((">", lambda v: v > a), (">=", lambda v: v >= a), ("<", lambda v: v < a), ("<=", lambda v: v <= a), ("=", lambda v: v == a)):
            want = self.where(lambda i: self.truth.value(i, n) is not None and f(self.truth.value(i, n)))
            self.same(want, self.by(f"{self.ref(n)} {op} {a!r}", "cql2-text"), f"{n} {op} {a}")

    def check_filter_text_logic(self):
        t, v = self.some_text()
        n, a, b = self.numbers()
        x, y = f"{self.ref(t)} = {self.text(v)}", f"{self.ref(n)} > {a!r}"
        tv, nv = (lambda i: self.truth.value(i, t)), (lambda i: self.truth.value(i, n))
        self.same(self.where(lambda i: tv(i) == v and nv(i) is not None and nv(i) > a), self.by(f"{x} AND {y}", "cql2-text"), "AND")
        self.same(self.where(lambda i: tv(i) == v or nv(i) is not None and nv(i) > a), self.by(f"({x}) or ({y})", "cql2-text"), "OR")
        self.same(self.where(lambda i: nv(i) is not None and not nv(i) > a), self.by(f"NOT ({y})", "cql2-text"), "NOT")

    def check_filter_text_null(self):
        done = 0
        for n in self.queryables.get("properties", {}):
            if n in self.first()["properties"]:
                want = self.where(lambda i: self.truth.value(i, n) is None)
                self.same(want, self.by(f"{self.ref(n)} IS NULL", "cql2-text"), f"{n} IS NULL")
                self.same(set(self.truth.rows) - want, self.by(f"{self.ref(n)} IS NOT NULL", "cql2-text"), f"{n} IS NOT NULL")
                done += 1
                if done == 4:
                    break
        need(done, "no property of the rows is queryable")

    def advanced(self):
        if CQL + "advanced-comparison-operators" not in self.conf:
            raise Skip("advanced-comparison-operators is not declared")

    def check_filter_text_like(self):
        self.advanced()
        n, v = self.some_text()
        k = max(1, len(v) - 1)
        tv = lambda i: self.truth.value(i, n) or ""
        self.same(self.where(lambda i: tv(i).startswith(v[:k])), self.by(f"{self.ref(n)} LIKE {self.text(v[:k] + '%')}", "cql2-text"), "LIKE x%")
        self.same(self.where(lambda i: v[-1:] in tv(i)), self.by(f"{self.ref(n)} LIKE {self.text('%' + v[-1:] + '%')}", "cql2-text"), "LIKE %x%")
        self.same(self.where(lambda i: len(tv(i)) == len(v) and tv(i)[1:] == v[1:]), self.by(f"{self.ref(n)} LIKE {self.text('_' + v[1:])}", "cql2-text"), "LIKE _x")

    def check_filter_text_in(self):
        self.advanced()
        n, v = self.some_text()
        others = sorted({self.truth.value(i, n) for i in self.truth.rows} - {v, None})[:1] + [v]
        self.same(self.where(lambda i: self.truth.value(i, n) in others), self.by(f"{self.ref(n)} IN ({', '.join(map(self.text, others))})", "cql2-text"), "IN")
        self.same(self.where(lambda i: self.truth.value(i, n) not in others + [None]), self.by(f"{self.ref(n)} NOT IN ({', '.join(map(self.text, others))})", "cql2-text"), "NOT IN")

    def check_filter_text_between(self):
        self.advanced()
        n, a, b = self.numbers()
        self.same(self.where(lambda i: self.truth.value(i, n) is not None and a <= self.truth.value(i, n) <= b), self.by(f"{self.ref(n)} BETWEEN {a!r} AND {b!r}", "cql2-text"), "BETWEEN")

    def check_filter_text_time(self):
        n = self.one("time")
        ts = {i: moment(self.truth.value(i, n)) for i in self.truth.rows}
        real = sorted(t[0] for t in ts.values() if t)
        mid, whole = real[len(real) // 2], next(t for t in ts.values() if t)[1]
        lit = f"DATE('{mid.date()}')" if whole else f"TIMESTAMP('{mid.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')}')"
        day = timedelta(0) if whole else timedelta(days=1)  # zones that the rows do not say
        got = self.by(f"{self.ref(n)} >= {lit}", "cql2-text")
        between({i for i, t in ts.items() if t and t[0] >= mid + day}, got, {i for i, t in ts.items() if t and t[0] >= mid - day}, f"{n} >= {lit}")

    def geometry(self):
        if CQL + "basic-spatial-functions" not in self.conf and CQL + "spatial-functions" not in self.conf:
            raise Skip("no spatial functions are declared")
        found = [n for n, p in self.queryables.get("properties", {}).items() if p.get("x-ogc-role") == "primary-geometry" or str(p.get("format", "")).startswith("geometry-")]
        need(found, "no geometry among the queryables")
        return found[0]

    def check_filter_text_bbox(self):
        g, b = self.geometry(), self.box()
        must, may = self.truth.sides(b)
        between(must, self.by(f"S_INTERSECTS({self.ref(g)}, BBOX({', '.join(map(plain, b))}))", "cql2-text"), may, "S_INTERSECTS BBOX")

    @staticmethod
    def ring(b):
        return [[b[0], b[1]], [b[2], b[1]], [b[2], b[3]], [b[0], b[3]], [b[0], b[1]]]

    def check_filter_text_polygon(self):
        g, b = self.geometry(), self.box()
        if not self.conf & {CQL + "basic-spatial-functions-plus", CQL + "extended-basic-spatial-functions", CQL + "spatial-functions"}:
            raise Skip("basic-spatial-functions has points and boxes only")
        must, may = self.truth.sides(b)
        wkt = "POLYGON((" + ", ".join(" ".join(map(plain, p)) for p in self.ring(b)) + "))"
        between(must, self.by(f"S_INTERSECTS({self.ref(g)}, {wkt})", "cql2-text"), may, "S_INTERSECTS POLYGON")

    def check_filter_crs(self):
        g, b = self.geometry(), self.box()
        must, may = self.truth.sides(b, 1e-5)
        for crs in (EPSG + "4326", EPSG + "3857"):
            if crs in self.meta.get("crs", []):
                e = f"S_INTERSECTS({self.ref(g)}, BBOX({', '.join(map(plain, box_in(b, crs)))}))"
                between(must, self.by(e, "cql2-text", filter_crs=crs), may, f"filter-crs {crs}")

    def check_filter_json_equals(self):
        n, v = self.some_text()
        want = self.where(lambda i: self.truth.value(i, n) == v)
        self.same(want, self.by({"op": "=", "args": [{"property": n}, v]}, "cql2-json"), "JSON =")

    def check_filter_json_logic(self):
        t, v = self.some_text()
        n, a, _ = self.numbers()
        eq, gt = {"op": "=", "args": [{"property": t}, v]}, {"op": ">", "args": [{"property": n}, a]}
        tv, nv = (lambda i: self.truth.value(i, t)), (lambda i: self.truth.value(i, n))
        self.same(self.where(lambda i: tv(i) == v and nv(i) is not None and nv(i) > a), self.by({"op": "and", "args": [eq, gt]}, "cql2-json"), "JSON and")
        self.same(self.where(lambda i: tv(i) == v or nv(i) is not None and nv(i) > a), self.by({"op": "or", "args": [eq, gt]}, "cql2-json"), "JSON or")
        self.same(self.where(lambda i: nv(i) is not None and not nv(i) > a), self.by({"op": "not", "args": [gt]}, "cql2-json"), "JSON not")
        self.same(self.where(lambda i: nv(i) is None), self.by({"op": "isNull", "args": [{"property": n}]}, "cql2-json"), "JSON isNull")

    def check_filter_json_advanced(self):
        self.advanced()
        t, v = self.some_text()
        n, a, b = self.numbers()
        self.same(self.where(lambda i: (self.truth.value(i, t) or "").startswith(v[:1])), self.by({"op": "like", "args": [{"property": t}, v[:1] + "%"]}, "cql2-json"), "JSON like")
        self.same(self.where(lambda i: self.truth.value(i, t) == v), self.by({"op": "in", "args": [{"property": t}, [v]]}, "cql2-json"), "JSON in")
        self.same(self.where(lambda i: self.truth.value(i, n) is not None and a <= self.truth.value(i, n) <= b), self.by({"op": "between", "args": [{"property": n}, a, b]}, "cql2-json"), "JSON between")

    def check_filter_json_spatial(self):
        g, b = self.geometry(), self.box()
        must, may = self.truth.sides(b)
        between(must, self.by({"op": "s_intersects", "args": [{"property": g}, {"bbox": b}]}, "cql2-json"), may, "JSON s_intersects bbox")

    def check_filter_paging(self):
        n, v = self.some_text()
        want = self.where(lambda i: self.truth.value(i, n) == v)
        if len(want) < 4:
            raise Skip("too few rows have one text")
        got = [i for i, _ in self.walk({"filter": f"{self.ref(n)} = {self.text(v)}", "filter-lang": "cql2-text", "limit": max(2, len(want) // 3)})[0]]
        need(len(got) == len(want) and set(got) == want, f"{len(got)} rows over pages, expected {len(want)}")

    def check_filter_with_bbox(self):
        n, v = self.some_text()
        b = self.box()
        must, may = self.truth.sides(b)
        have = self.where(lambda i: self.truth.value(i, n) == v)
        got = self.ids({"filter": f"{self.ref(n)} = {self.text(v)}", "bbox": ",".join(map(plain, b))})
        between(must & have, got, may & have, "filter and bbox")

    def check_queryable_parameter(self):
        if F3 + "queryables-query-parameters" not in self.conf:
            raise Skip("queryables-query-parameters is not declared")
        n, v = self.some_text()
        self.same(self.where(lambda i: self.truth.value(i, n) == v), self.ids({n: v}), f"{n}={v}")
        if self.names("number"):
            n, a, _ = self.numbers()
            self.same(self.where(lambda i: self.truth.value(i, n) == a), self.ids({n: a}), f"{n}={a}")

    # Order and selection
    def sorted_by(self, name, rows, down):
        vs = [self.truth.value(i, name) for i, _ in rows]
        real = [moment(v)[0] if moment(v) else v for v in vs if v is not None]
        pairs = list(zip(real, real[1:]))
        need(all(a >= b if down else a <= b for a, b in pairs), f"not in {'falling' if down else 'rising'} order of {name}")
        gaps = [k for k, v in enumerate(vs) if v is None]
        need(not gaps or gaps[-1] - gaps[0] + 1 == len(gaps), "empty values are not together")

    def sort_name(self):
        names = self.names("number") + self.names("time")
        if not names:
            raise Skip("no number and no time to sort by")
        return names[0]

    def check_sortby(self):
        n = self.sort_name()
        for text, down in ((n, False), ("-" + n, True), ("+" + n, False)):
            rows = self.walk({"sortby": text, "limit": self.page_limit})[0]
            need({i for i, _ in rows} == set(self.truth.rows), f"sortby {text} loses rows")
            self.sorted_by(n, rows, down)
        # One property at a time: more are refused, not ignored.
        other = (self.names("text") + [n])[0]
        r = self.c.get(self.items, {"sortby": f"{other},-{n}"})
        need(r.status_code == 400, f"sortby with two names gives {r.status_code}")

    def check_sortby_plus(self):
        n = self.sort_name()
        rows = self.walk({"limit": self.page_limit}, raw="sortby=+" + quote(n))[0]
        need(len(rows) == len(self.truth.rows), "a literal + (which reads as a space) is not understood")
        self.sorted_by(n, rows, False)

    def check_sortby_paging(self):
        n = self.sort_name()
        size = max(7, len(self.truth.rows) // 11)
        rows = self.walk({"sortby": "-" + n, "limit": size})[0]
        need(len(rows) == len(self.truth.rows) == len({i for i, _ in rows}), f"{len(rows)} rows, {len({i for i, _ in rows})} different: equal values need a second key")
        self.sorted_by(n, rows, True)

    def check_properties(self):
        names = list(self.first()["properties"])
        pick = names[: max(1, min(2, len(names) - 1))]
        doc, _ = self.c.json(self.items, {"properties": ",".join(pick), "limit": 10})
        for f in doc["features"]:
            need(set(f["properties"]) == set(pick), f"{sorted(f['properties'])} instead of {pick}")
            need(f["id"] in self.truth.rows and "geometry" in f, "id or geometry is gone")
            for n in pick:
                need(f["properties"][n] == self.truth.value(f["id"], n), f"{n} has another value")

    def check_properties_paging(self):
        n = list(self.first()["properties"])[0]
        doc, r = self.c.json(self.items, {"properties": n, "limit": 3})
        nxt, _ = self.c.json(urljoin(r.url, links(doc, "next")[0]["href"]))
        need(all(set(f["properties"]) == {n} for f in nxt["features"]), "the next page lost properties")

    # One feature
    def check_single(self):
        for i in (self.truth.ids[0], self.truth.ids[-1], self.truth.ids[len(self.truth.ids) // 2]):
            doc, r = self.c.json(f"{self.items}/{quote(str(i), safe='')}")
            need(media(r) == "application/geo+json", f"feature is {media(r)}")
            need(doc["type"] == "Feature" and doc["id"] == i, f"id {doc.get('id')} for {i}")
            home = self.truth.rows[i]
            need(doc["properties"] == home["properties"] and doc["geometry"] == home["geometry"], f"{i} differs from the row in items")
            need(r.headers.get("Content-Crs") == f"<{CRS84}>", f"Content-Crs is {r.headers.get('Content-Crs')}")

    def check_single_links(self):
        i = self.truth.ids[1]
        doc, r = self.c.json(f"{self.items}/{quote(str(i), safe='')}")
        linked(doc, "self", "feature", ("application/geo+json",))
        home = linked(doc, "collection", "feature")
        need(self.c.json(urljoin(r.url, home))[0]["id"] == self.id, "the link collection leads elsewhere")
        there = linked(doc, "canonical", "feature")
        again, _ = self.c.json(urljoin(r.url, there))
        need(again.get("id") == i, "the canonical link leads elsewhere")
        need("?" not in there, f"a canonical link with a query: {there}")

    def check_single_crs(self):
        self.listed(EPSG + "4326")
        i = next(i for i in self.truth.ids if self.truth.rows[i]["geometry"])
        doc, r = self.c.json(f"{self.items}/{quote(str(i), safe='')}", {"crs": EPSG + "4326"})
        need(r.headers.get("Content-Crs") == f"<{EPSG}4326>", f"Content-Crs is {r.headers.get('Content-Crs')}")
        a, b = ordered(self.truth.rows[i]["geometry"])[0], ordered(doc["geometry"])[0]
        need(abs(a[0] - b[1]) < 1e-7 and abs(a[1] - b[0]) < 1e-7, f"{b} for {a}")

    def check_every_parameter_described(self):
        got = self.api_parameters()
        need(got, "the definition has no parameters of items")
        want = {"limit", "bbox", "datetime", "crs", "bbox-crs", "filter", "filter-lang", "filter-crs", "sortby", "properties"}
        need(want <= set(got), f"not described: {sorted(want - set(got))}")
        langs = got["filter-lang"].get("schema", {}).get("enum", [])
        need({"cql2-text", "cql2-json"} <= set(langs), f"filter-lang is described with {langs}")

    # Errors
    def check_errors(self):
        t = lambda name, **k: self.report.run("error_" + name, lambda: self.bad(**k))
        t("collection_404", path="/collections/no-such-collection", status=404)
        t("items_404", path="/collections/no-such-collection/items", status=404)
        t("feature_404", path=self.items + "/no-such-feature-0", status=404)
        t("path_404", path="/no-such-path", status=404)
        t("unknown_parameter", query={"no_such_parameter": "1"})
        t("unknown_parameter_feature", path=f"{self.items}/{quote(str(self.truth.ids[0]), safe='')}", query={"no_such_parameter": "1"})
        for v in ("0", "-1", "ten", "1.5"):
            t(f"limit_{v}", query={"limit": v})
        for k, v in (("three", "1,2,3"), ("words", "a,b,c,d"), ("upside_down", "116,40,117,39"), ("empty", "")):
            t(f"bbox_{k}", query={"bbox": v})
        for k, v in (("word", "yesterday"), ("month", "2020-13-01T00:00:00Z"), ("slashes", "2020-01-01/2021-01-01/2022-01-01"), ("backwards", "2022-01-01T00:00:00Z/2020-01-01T00:00:00Z")):
            t(f"datetime_{k}", query={"datetime": v})
        t("crs", query={"crs": EPSG + "99999"})
        t("crs_word", query={"crs": "EPSG:4326x"})
        t("bbox_crs", query={"bbox": "1,2,3,4", "bbox-crs": EPSG + "99999"})
        names = [n for n in self.queryables.get("properties", {}) if n in self.first()["properties"]]
        fine = f"{self.ref(names[0])} IS NULL" if names else "1 = 1"  # right in itself, so that the other parameter is what is wrong
        t("filter_crs", query={"filter": fine, "filter-crs": EPSG + "99999"})
        t("filter_syntax", query={"filter": "= = (", "filter-lang": "cql2-text"})
        t("filter_property", query={"filter": "no_such_property = 1", "filter-lang": "cql2-text"})
        t("filter_json", query={"filter": "{not json", "filter-lang": "cql2-json"})
        t("filter_json_op", query={"filter": '{"op":"drop","args":[]}', "filter-lang": "cql2-json"})
        t("filter_lang", query={"filter": fine, "filter-lang": "sql"})
        t("sortby", query={"sortby": "no_such_property"})
        t("properties", query={"properties": "no_such_property"})


class Records:
    def __init__(self, features, cid, report):
        self.f = Features(features.c, cid, report, 20000)
        self.f.conf = features.conf
        self.c, self.id, self.report, self.rows = features.c, cid, report, {}
        self.asked = features

    def all(self):
        for n in ("collection", "owslib", "all_once", "shape", "q", "q_or", "q_phrase", "q_none", "type", "ids", "externalIds", "bbox",
                  "datetime", "single", "errors"):
            self.report.run("records_" + n, getattr(self, n))

    def get(self, q):
        return {i for i, _ in self.f.walk({"limit": 100} | q)[0]}

    def collection(self):
        m, _ = self.c.json(self.f.base)
        need(m.get("itemType") == "record", f"itemType is {m.get('itemType')}")
        need(m.get("type") == "Catalog", f"type is {m.get('type')}, expected Catalog")
        need(m.get("title") and m.get("links"), "no title or links")
        linked(m, "items", self.f.base, ("application/geo+json",))
        linked(m, "self", self.f.base)

    def owslib(self):
        from owslib.ogcapi.records import Records as Owslib
        w = Owslib(self.c.landing, headers=dict(self.c.session.headers))
        need(self.id in w.records(), "owslib does not list it as a record collection")
        need(w.conformance()["conformsTo"], "conformance")
        got = w.collection_items(self.id, limit=2)
        need(got["features"], "no records")
        need(w.collection_item(self.id, got["features"][0]["id"])["id"] == got["features"][0]["id"], "collection_item")
        try:
            api = w.api()
        except RuntimeError:
            raise AssertionError("owslib finds no service-desc of type application/vnd.oai.openapi+json;version=3.0") from None
        need(api.get("openapi"), "api")

    def all_once(self):
        got = self.f.walk({"limit": 7})[0]
        need(got, "no records")
        need(len(got) == len({i for i, _ in got}), "a record twice")
        self.rows = dict(got)
        doc, _ = self.c.json(self.f.items, {"limit": 1})
        need(doc.get("numberMatched", len(got)) == len(got), "numberMatched")

    def shape(self):
        need(self.rows, "no records")
        for i, f in self.rows.items():
            need(f["type"] == "Feature" and "geometry" in f and "properties" in f, f"{i}: type, geometry, properties")
            need(isinstance(i, str) and i, "id")
            p = f["properties"]
            need(p.get("type") and p.get("title"), f"{i}: properties.type and properties.title")
            need("time" in f, f"{i}: member time (null where unknown)")
            t = f["time"]
            if t is not None:
                need(isinstance(t, dict) and ({"date", "timestamp", "interval"} & set(t)), f"{i}: time {t}")
                for end in t.get("interval", []):
                    need(end == ".." or moment(end), f"{i}: interval end {end}")
                need(len(t.get("interval", ["", ""])) == 2, f"{i}: an interval has two ends")
            for k in ("created", "updated"):
                need(k not in p or moment(p[k]) and not moment(p[k])[1], f"{i}: {k} is no date-time")
            for e in p.get("externalIds", []):
                need(e.get("value"), f"{i}: externalIds need a value")
            need(isinstance(p.get("keywords", []), list), f"{i}: keywords")
            for c in p.get("contacts", []):
                need(c.get("name") or c.get("organization"), f"{i}: a contact needs name or organization")
            for l in f.get("links", []):
                need(l.get("href") and l.get("rel"), f"{i}: a link needs href and rel")

    def word(self):
        for f in self.rows.values():
            title = f["properties"]["title"]
            w = re.findall(r"[A-Za-z]{4,}", title) or re.findall(r"[\u4e00-\u9fff]{2}", title)
            if w:
                return w[0]
        raise Skip("no title with a word")

    def text(self, f):
        p = f["properties"]
        return " ".join([p.get("title", ""), p.get("description") or ""] + p.get("keywords", [])).lower()

    def q(self):
        w = self.word()
        got = self.get({"q": w})
        titled = {i for i, f in self.rows.items() if w.lower() in f["properties"]["title"].lower()}
        need(titled <= got, f"q={w} misses {sorted(titled - got)[:3]}, whose titles have it")
        if re.fullmatch("[A-Za-z]+", w):
            need(self.get({"q": w.upper()}) == got == self.get({"q": w.lower()}), "q minds the case")

    def q_or(self):
        w = self.word()
        got = self.get({"q": w})
        need(self.get({"q": f"{w},zqxjkvwpzz"}) == got, "a comma is OR: the second word found nothing, the first must still find")

    def q_phrase(self):
        w = self.word()
        need(self.get({"q": f"{w} zqxjkvwpzz"}) == set(), "words with a space must stand together")

    def q_none(self):
        doc, _ = self.c.json(self.f.items, {"q": "zqxjkvwpzz"})
        need(doc["features"] == [] and doc.get("numberMatched", 0) == 0 and not links(doc, "next"), "records for nonsense")

    def type(self):
        kinds = sorted({f["properties"]["type"] for f in self.rows.values()})
        need(kinds, "no types")
        for k in kinds:
            need(self.get({"type": k}) == {i for i, f in self.rows.items() if f["properties"]["type"] == k}, f"type={k}")
        need(self.get({"type": ",".join(kinds)}) == set(self.rows), "type with commas")
        need(self.get({"type": "no-such-type"}) == set(), "type=no-such-type")

    def ids(self):
        pick = sorted(self.rows)[:2]
        need(self.get({"ids": ",".join(pick)}) == set(pick), f"ids={pick}")
        need(self.get({"ids": "no-such-id"}) == set(), "ids=no-such-id")

    def externalIds(self):
        for i, f in self.rows.items():
            for e in f["properties"].get("externalIds", []):
                want = {j for j, g in self.rows.items() if any(x["value"] == e["value"] for x in g["properties"].get("externalIds", []))}
                need(self.get({"externalIds": e["value"]}) == want, f"externalIds={e['value']}")
                if e.get("scheme"):
                    need(i in self.get({"externalIds": f"{e['scheme']}:{e['value']}"}), "externalIds with scheme")
                return
        raise Skip("no record has externalIds")

    def bbox(self):
        t = Truth()
        t.rows = self.rows
        shaped = [f for f in self.rows.values() if f["geometry"]]
        if not shaped:
            raise Skip("no record has a geometry")
        v = vertices(shaped[0]["geometry"])
        b = [min(p[0] for p in v) - .01, min(p[1] for p in v) - .01, max(p[0] for p in v) + .01, max(p[1] for p in v) + .01]
        must, may = t.sides(b)
        between(must, self.get({"bbox": ",".join(map(plain, b))}), may | {i for i, f in self.rows.items() if not f["geometry"]}, "bbox")
        far = self.get({"bbox": "-30.5,-20.5,-30,-20"})
        need(far <= {i for i, f in self.rows.items() if not f["geometry"]}, "records in the Atlantic")

    def datetime(self):
        timed = {i for i, f in self.rows.items() if f.get("time")}
        if not timed:
            raise Skip("no record has a time")
        want = {i for i in timed if "interval" in self.rows[i]["time"] and moment(self.rows[i]["time"]["interval"][0])}
        old = self.get({"datetime": "1800-01-01T00:00:00Z/1800-01-02T00:00:00Z"})
        need(not old & want, f"records of 1800: {sorted(old & want)[:3]}")
        need(set(self.rows) - timed <= old, "records without a time must match every datetime")

    def single(self):
        i, home = next(iter(self.rows.items()))
        doc, r = self.c.json(f"{self.f.items}/{quote(i, safe='')}")
        need(media(r) in ("application/geo+json", "application/ogc-record+json"), f"record is {media(r)}")
        need(doc["id"] == i and doc["properties"]["title"] == home["properties"]["title"], "another record")
        linked(doc, "self", "record")
        linked(doc, "collection", "record")

    def errors(self):
        self.f.bad(path=self.f.items + "/no-such-record", status=404)
        self.f.bad(query={"no_such_parameter": "1"})
        self.f.bad(query={"limit": "0"})
        self.f.bad(query={"bbox": "1,2,3"})


class Gdal:
    def __init__(self, features, report):
        self.f, self.report = features, report
        self.source = "OAPIF:" + features.c.landing
        host = urlsplit(features.c.landing).hostname
        self.env = os.environ | {"no_proxy": f"{host},127.0.0.1,localhost", "GDAL_HTTP_TIMEOUT": "60"}
        extra = {k: v for k, v in features.c.session.headers.items() if k.lower() == "authorization"}
        if extra:
            self.headers = tempfile.NamedTemporaryFile("w", suffix=".txt")
            self.headers.write("".join(f"{k}: {v}\n" for k, v in extra.items()))
            self.headers.flush()
            self.env["GDAL_HTTP_HEADER_FILE"] = self.headers.name

    def run(self, *command):
        p = subprocess.run(command, capture_output=True, text=True, timeout=600, env=self.env)
        need(p.returncode == 0 and "ERROR" not in p.stderr, f"{command[0]} says {p.stderr.strip()[-300:]}")
        return p.stdout

    def all(self):
        for n in ("info", "collection_url", "all_rows", "default_page", "spat", "where", "where_text", "transform"):
            self.report.run("gdal_" + n, getattr(self, n))

    def rows(self, *options, page=500):
        """GDAL 3.6 asks for 10 rows a page unless told; features as (x, y) of the first vertex and properties."""
        out = self.run("ogr2ogr", "-q", "-f", "GeoJSONSeq", "-oo", f"PAGE_SIZE={page}", *options, "/vsistdout/", self.source, self.f.id)
        return [json.loads(l.lstrip("\x1e")) for l in out.splitlines() if l.strip("\x1e \n")]

    def info(self):
        out = self.run("ogrinfo", "-so", self.source, self.f.id)
        n = int(re.search(r"Feature Count: (\d+)", out).group(1))
        need(n == len(self.f.truth.rows), f"Feature Count {n}, rows {len(self.f.truth.rows)}")
        m = re.search(r"Extent: \(([-\d.]+), ([-\d.]+)\) - \(([-\d.]+), ([-\d.]+)\)", out)
        need(m and CHINA[0] <= float(m[1]) <= CHINA[2] and CHINA[1] <= float(m[2]) <= CHINA[3], f"Extent {m and m.groups()}")
        for name in self.f.first()["properties"]:
            need(re.search(rf"^{re.escape(name)}: ", out, re.M), f"GDAL does not see the field {name}")

    def collection_url(self):
        out = self.run("ogrinfo", "-so", f"{self.source}{self.f.base}", self.f.id)
        need("Feature Count" in out, "no layer")

    def all_rows(self):
        got = self.rows()
        need(len(got) == len(self.f.truth.rows), f"{len(got)} rows, expected {len(self.f.truth.rows)}")
        home = sorted(ordered(f["geometry"])[0] for f in self.f.truth.rows.values() if f["geometry"])
        there = sorted(ordered(f["geometry"])[0] for f in got if f["geometry"])
        need(len(home) == len(there) and all(abs(a[0] - b[0]) < 1e-5 and abs(a[1] - b[1]) < 1e-5 for a, b in zip(home, there)), "positions differ")

    def default_page(self):
        if len(self.f.truth.rows) > 3000:
            raise Skip("too many rows for pages of 10")
        out = self.run("ogr2ogr", "-q", "-f", "GeoJSONSeq", "/vsistdout/", self.source, self.f.id)
        need(len(out.splitlines()) == len(self.f.truth.rows), f"{len(out.splitlines())} rows with the default page")

    def spat(self):
        b = self.f.box()
        must, may = self.f.truth.sides(b)
        got = self.rows("-spat", *map(plain, b))
        need(len(must) <= len(got) <= len(may), f"{len(got)} rows, expected {len(must)} to {len(may)}")

    def where(self):
        n, a, _ = self.f.numbers()
        want = self.f.where(lambda i: self.f.truth.value(i, n) == a)
        got = self.rows("-where", f'"{n}" = {a!r}')
        need(len(got) == len(want), f"{n} = {a}: {len(got)} rows, expected {len(want)}")

    def where_text(self):
        n, v = self.f.some_text()
        want = self.f.where(lambda i: self.f.truth.value(i, n) == v)
        got = self.rows("-where", f'"{n}" = {self.f.text(v)}')
        need(len(got) == len(want), f"{n} = {v}: {len(got)} rows, expected {len(want)}")

    def transform(self):
        # GeoJSONSeq is always in WGS 84; plain GeoJSON keeps the CRS.
        out = self.run("ogr2ogr", "-q", "-f", "GeoJSON", "-oo", "PAGE_SIZE=500", "-t_srs", "EPSG:3857", "-limit", "5", "/vsistdout/", self.source, self.f.id)
        got = [f for f in json.loads(out)["features"] if f["geometry"]]
        need(got and all(abs(ordered(f["geometry"])[0][0]) > 1e6 for f in got), "not projected")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("base_url")
    a.add_argument("collection")
    a.add_argument("--catalogue", default="catalogue")
    a.add_argument("--no-gdal", action="store_true")
    a.add_argument("--no-records", action="store_true")
    a.add_argument("--strict", action="store_true")
    a.add_argument("--max-rows", type=int, default=50000)
    a.add_argument("--header", action="append", default=[])
    o = a.parse_args()
    base = o.base_url.rstrip("/")
    landing = base if urlsplit(base).path.endswith("/ogc") else base + "/ogc"
    client = Client(landing, dict(h.split(": ", 1) for h in o.header))
    try:
        client.get("")
    except requests.RequestException as e:
        print(f"FAIL start: {landing} does not answer: {e}")
        return 2
    report = Report()
    features = Features(client, o.collection, report, o.max_rows)
    features.all()
    if not o.no_records:
        Records(features, o.catalogue, report).all()
    if not o.no_gdal and features.truth.rows:
        Gdal(features, report).all()
    print(f"{report.ok} ok, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or o.strict and report.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
