#!/usr/bin/env python3
"""Checks a DCAT catalogue from outside.

    dcat.py BASE_URL [--path /catalog] [--shapes FILE] [--warnings] [--header 'Name: value'] [--expect N]

Fetches BASE_URL/catalog.jsonld and /catalog.ttl along their pages and /catalog with Accept, asserts that both carry the
same triples, and validates them by the shapes (violations fail, warnings are counted). First it asserts that the shapes
can fail. One line per check: `ok NAME` or `FAIL NAME: why`; exit 1 on any FAIL.
"""
import argparse, json, logging, os, re, sys
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
from pyshacl import validate
from rdflib import BNode, Graph, Namespace, RDF, URIRef
from rdflib.compare import graph_diff, isomorphic, to_isomorphic

DCAT, DCT = Namespace("http://www.w3.org/ns/dcat#"), Namespace("http://purl.org/dc/terms/")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
SH = Namespace("http://www.w3.org/ns/shacl#")
KINDS = {"json-ld": "application/ld+json", "turtle": "text/turtle"}
logging.getLogger("rdflib").setLevel(logging.CRITICAL)
VIEWS = (HYDRA.PartialCollectionView, HYDRA.PagedCollection)

GOOD = """
@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix vcard: <http://www.w3.org/2006/vcard/ns#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix spdx: <http://spdx.org/rdf/terms#> .
<http://n/catalog> a dcat:Catalog ; dct:title "目录"@zh ; dct:description "说明"@zh ; dct:publisher <http://n/org/1> ; dcat:dataset <http://n/d/1> .
<http://n/org/1> a foaf:Agent ; foaf:name "交通厅"@zh .
<http://n/d/1> a dcat:Dataset ; dct:title "桥梁"@zh ; dct:description "公路桥梁"@zh ; dct:identifier "301002/000001" ; dct:publisher <http://n/org/1> ;
  dct:accessRights <http://publications.europa.eu/resource/authority/access-right/PUBLIC> ; dct:modified "2026-01-31T08:00:00+08:00"^^xsd:dateTime ;
  dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/MONTHLY> ;
  dcat:contactPoint [ a vcard:Kind ; vcard:fn "数据处"@zh ; vcard:hasEmail <mailto:a@example.org> ] ;
  dct:temporal [ a dct:PeriodOfTime ; dcat:startDate "2020-01-01"^^xsd:date ] ; dcat:distribution <http://n/d/1/csv> .
<http://n/d/1/csv> a dcat:Distribution ; dcat:accessURL <http://n/d/1> ; dcat:byteSize "12"^^xsd:nonNegativeInteger ;
  dcat:mediaType <https://www.iana.org/assignments/media-types/text/csv> ;
  spdx:checksum [ a spdx:Checksum ; spdx:algorithm spdx:checksumAlgorithm_sha256 ; spdx:checksumValue "00ff"^^xsd:hexBinary ] .
<http://n/s> a dcat:DataService ; dct:title "接口"@zh ; dcat:endpointURL <http://n/ogc> ; dcat:servesDataset <http://n/d/1> .
"""
# (what is spoilt, what stands there, what stands there then)
SPOILT = [
    ("catalogue without title", 'dct:title "目录"@zh ; ', ""),
    ("catalogue without publisher", "dct:publisher <http://n/org/1> ; dcat:dataset", "dcat:dataset"),
    ("catalogue without description", 'dct:description "说明"@zh ; ', ""),
    ("dataset without title", 'dct:title "桥梁"@zh ; ', ""),
    ("dataset with two titles in one language", '"桥梁"@zh', '"桥梁"@zh, "大桥"@zh'),
    ("dataset without description", 'dct:description "公路桥梁"@zh ; ', ""),
    ("dataset without identifier", 'dct:identifier "301002/000001" ; ', ""),
    ("agent without name", ' ; foaf:name "交通厅"@zh', ""),
    ("date as text", '"2026-01-31T08:00:00+08:00"^^xsd:dateTime', '"2026-01-31"'),
    ("date ill formed", '"2026-01-31T08:00:00+08:00"^^xsd:dateTime', '"2026-31-01"^^xsd:date'),
    ("frequency as text", "<http://publications.europa.eu/resource/authority/frequency/MONTHLY>", '"每月"'),
    ("access right of another list", "access-right/PUBLIC", "access-right/OPEN"),
    ("distribution without accessURL", "dcat:accessURL <http://n/d/1> ; ", ""),
    ("accessURL as text", "dcat:accessURL <http://n/d/1>", 'dcat:accessURL "http://n/d/1"'),
    ("byteSize as decimal", "nonNegativeInteger", "decimal"),
    ("media type as text", "<https://www.iana.org/assignments/media-types/text/csv>", '"text/csv"'),
    ("checksum without algorithm", "spdx:algorithm spdx:checksumAlgorithm_sha256 ; ", ""),
    ("service without endpoint", "dcat:endpointURL <http://n/ogc> ; ", ""),
    ("contact without address", "; vcard:hasEmail <mailto:a@example.org>", ""),
    ("period without ends", '; dcat:startDate "2020-01-01"^^xsd:date', ""),
    ("dataset that is not described", "<http://n/d/1> a dcat:Dataset", "<http://n/d/2> a dcat:Dataset"),
]


def need(condition, why):
    if not condition:
        raise AssertionError(why)


class Check:
    def __init__(self, o):
        self.base, self.path = o.base_url.rstrip("/"), o.path
        self.shapes = Graph().parse(o.shapes, format="turtle")
        self.session = requests.Session()
        self.session.headers.update(dict(h.split(": ", 1) for h in o.header))
        self.o, self.graphs, self.pages, self.failed = o, {}, {}, 0

    def run(self, name, body, *a):
        try:
            note = body(*a)
        except Exception as e:  # a parser may raise anything
            self.failed += 1
            print(f"FAIL {name}: " + " ".join(f"{'' if isinstance(e, AssertionError) else type(e).__name__ + ' '}{e}".split())[:900])
        else:
            print(f"ok {name}" + (f" ({note})" if note else ""))
        sys.stdout.flush()

    # Validation
    def results(self, graph):
        """Violations and warnings as texts."""
        _, report, _ = validate(graph, shacl_graph=self.shapes, advanced=True, allow_warnings=True, inference="none", do_owl_imports=False)
        out = {"Violation": [], "Warning": []}
        for r in report.subjects(RDF.type, SH.ValidationResult):
            severity = str(report.value(r, SH.resultSeverity)).rsplit("#", 1)[1]
            short = lambda t: re.sub(r".*[#/]", "", str(t)) if t is not None else ""
            out.setdefault(severity, []).append(
                f"{report.value(r, SH.focusNode)} {short(report.value(r, SH.resultPath))} {short(report.value(r, SH.sourceConstraintComponent))}"
                f" {report.value(r, SH.value) if report.value(r, SH.value) is not None else ''}".strip())
        return out

    def self_test(self):
        found = self.results(Graph().parse(data=GOOD, format="turtle"))["Violation"]
        need(not found, f"a right graph gives violations: {found}")
        for what, old, new in SPOILT:
            need(old in GOOD, f"nothing to spoil for «{what}»")
            g = Graph().parse(data=GOOD.replace(old, new), format="turtle")
            need(self.results(g)["Violation"], f"no violation for «{what}»")
        return f"{len(SPOILT)} spoilt graphs"

    # Fetching
    def page(self, url, kind, accept=None):
        r = self.session.get(url, headers={"Accept": accept or KINDS[kind]}, timeout=120)
        need(r.status_code == 200, f"{r.status_code} for {url}")
        got = r.headers.get("Content-Type", "").split(";")[0].strip().lower()
        need(got == KINDS[kind], f"{url} is {got}, expected {KINDS[kind]}")
        g = Graph()
        text = r.content.decode("utf-8")
        if kind == "json-ld":
            doc = json.loads(text)
            remote = [c for c in self.contexts(doc) if isinstance(c, str)]
            need(not remote, f"the context is fetched from elsewhere: {remote}; give it in the document")
            if isinstance(doc, dict) and "@graph" in doc:
                need("@id" not in doc, "@id beside @graph makes a named graph, whose triples readers do not see")
        g.parse(data=text, format=kind, publicID=r.url)
        # Blank nodes are of their page: the same label on two pages must not become one node.
        own, fresh = {}, Graph()
        for t in g:
            fresh.add(tuple(own.setdefault(x, BNode()) if isinstance(x, BNode) else x for x in t))
        g = fresh
        for s, p, o in g:
            for t in (s, p, o):
                need(not isinstance(t, URIRef) or re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", t), f"a relative IRI stayed: {t}")
        return g, r

    @staticmethod
    def contexts(doc):
        found = doc.get("@context", []) if isinstance(doc, dict) else [c for d in doc for c in Check.contexts(d)]
        return found if isinstance(found, list) else [found]

    def next(self, g, url, r):
        """The address of the next page, from hydra or the Link header."""
        out = set()
        for view in VIEWS:
            for s in g.subjects(RDF.type, view):
                out |= {str(o) for p in (HYDRA.next, HYDRA.nextPage) for o in g.objects(s, p)}
        header = r.links.get("next", {}).get("url")
        need(len(out) <= 1, f"several next pages: {out}")
        if header and out:
            need(urljoin(url, header) == urljoin(url, next(iter(out))), f"Link header {header} and hydra {out} differ")
        nxt = next(iter(out), None) or header
        return urljoin(url, nxt) if nxt else None

    def fetch(self, kind, start, accept=None):
        whole, url, seen, pages = Graph(), start, [], []
        while url:
            need(url not in seen, f"the pages go round at {url}")
            need(len(seen) < 1000, "more than 1000 pages")
            seen.append(url)
            g, r = self.page(url, kind, accept)
            pages.append(g)
            whole += g
            url = self.next(g, r.url, r)
        return whole, pages, seen

    def get(self, kind, suffix):
        g, pages, seen = self.fetch(kind, self.base + self.path + suffix)
        self.graphs[kind], self.pages[kind] = g, pages
        n = len(set(g.subjects(RDF.type, DCAT.Dataset)))
        need(n, "no dcat:Dataset")
        return f"{len(seen)} pages, {n} datasets, {len(g)} triples"

    @staticmethod
    def content(g):
        """The graph without what says which page of which file it is."""
        out = Graph()
        paging = {s for v in VIEWS for s in g.subjects(RDF.type, v)}
        for t in g:
            if t[0] not in paging and t[2] not in paging and t[1] not in (HYDRA.view, HYDRA.totalItems) and t[2] != HYDRA.Collection:
                out.add(t)
        return out

    def equal(self, a, b, what):
        a, b = self.content(a), self.content(b)
        if isomorphic(a, b):
            return f"{len(a)} triples"
        both, left, right = graph_diff(to_isomorphic(a), to_isomorphic(b))
        show = lambda g: "; ".join(" ".join(t.n3() for t in x)[:160] for x in sorted(g)[:3])
        raise AssertionError(f"{what}: {len(left)} triples only in the first ({show(left)}), {len(right)} only in the second ({show(right)})")

    def same(self):
        return self.equal(self.graphs["json-ld"], self.graphs["turtle"], "jsonld and ttl")

    def stable(self):
        again = self.fetch("turtle", self.base + self.path + ".ttl")[0]
        return self.equal(self.graphs["turtle"], again, "ttl and ttl once more")

    def negotiated(self, kind):
        g, _, _ = self.fetch(kind, self.base + self.path)
        return self.equal(g, self.graphs[kind], f"/catalog as {KINDS[kind]} and the file")

    def negotiation(self):
        url, bad = self.base + self.path, []
        ask = lambda accept: self.session.get(url, headers={"Accept": accept}, timeout=60)
        for accept, want in (("text/turtle;q=0.5, application/ld+json", "application/ld+json"), ("application/ld+json;q=0.5, text/turtle", "text/turtle"),
                             ("text/html;q=0.1, text/turtle;q=0.9", "text/turtle")):
            got = ask(accept)
            kind = got.headers.get("Content-Type", "").split(";")[0].strip()
            if got.status_code != 200 or kind != want:
                bad.append(f"Accept {accept}: {got.status_code} {kind}, expected {want}")
            elif "accept" not in ",".join([got.headers.get("Vary", "")] + [h.headers.get("Vary", "") for h in got.history]).lower():
                bad.append(f"Accept {accept}: no Vary: Accept")
        star = ask("*/*")
        if star.status_code != 200:
            bad.append(f"Accept */*: {star.status_code}")
        no = ask("image/png")
        if no.status_code not in (406, 200):
            bad.append(f"Accept image/png: {no.status_code}, expected 406 (or 200 with a default)")
        need(not bad, "; ".join(bad))

    # Contents
    def catalogue(self):
        g = self.graphs["turtle"]
        cats = {s for s in g.subjects(RDF.type, DCAT.Catalog)}
        roots = cats - set(g.objects(None, DCAT.catalog))
        need(len(roots) == 1, f"{len(roots)} catalogues that no other lists: {sorted(roots)[:3]}; all pages must speak of one catalogue IRI")
        listed, known = set(g.objects(None, DCAT.dataset)), set(g.subjects(RDF.type, DCAT.Dataset)) - cats
        need(listed == known, f"listed but not described {sorted(listed - known)[:3]}, described but not listed {sorted(known - listed)[:3]}")
        ids = [str(o) for d in known for o in g.objects(d, DCT.identifier)]
        need(len(ids) == len(set(ids)), "an identifier twice")
        need(self.o.expect is None or len(known) == self.o.expect, f"{len(known)} datasets, expected {self.o.expect}")
        odd = [d for d in known if not isinstance(d, URIRef) or "?" in d]
        need(not odd, f"datasets need IRIs without a query: {odd[:3]}")
        return f"{len(known)} datasets"

    def paging(self):
        pages = self.pages["turtle"]
        if len(pages) == 1:
            return "one page"
        seen = set()
        for k, g in enumerate(pages):
            views = {s for v in VIEWS for s in g.subjects(RDF.type, v)}
            need(len(views) == 1, f"page {k + 1} has {len(views)} views")
            if (next(iter(views)), RDF.type, HYDRA.PagedCollection) not in g:
                need(k == len(pages) - 1 or g.value(next(iter(views)), HYDRA.next) is not None, "no hydra:next")
            own = set(g.subjects(RDF.type, DCAT.Dataset)) - set(g.subjects(RDF.type, DCAT.Catalog))
            need(own, f"page {k + 1} is empty")
            need(not own & seen, f"datasets on two pages: {sorted(own & seen)[:3]}")
            seen |= own
            # Harvesters read page by page: what a dataset points to must be on its page.
            for d in own:
                for p in (DCAT.distribution, DCT.publisher, DCAT.contactPoint, DCT.temporal):
                    for o in g.objects(d, p):
                        need((o, RDF.type, None) in g, f"page {k + 1}: {d} points to {o}, which is not described there")
            violations = self.results(g)["Violation"]
            need(not violations, f"page {k + 1} by itself: {violations[:2]}")
        total = {int(o) for g in pages for o in g.objects(None, HYDRA.totalItems)}
        need(not total or total == {len(seen)}, f"hydra:totalItems {total}, {len(seen)} datasets")
        return f"{len(pages)} pages"

    def valid(self, kind):
        found = self.results(self.graphs[kind])
        if self.o.warnings and kind == "turtle":
            for w in sorted(found["Warning"]):
                print("warn", w)
        need(not found["Violation"], f"{len(found['Violation'])} violations: " + " | ".join(sorted(found["Violation"])[:8]))
        return f"{len(found['Warning'])} warnings"

    def dereference(self):
        g = self.graphs["turtle"]
        host = urlsplit(self.base).netloc
        own = sorted(d for d in set(g.objects(None, DCAT.dataset)) if urlsplit(d).netloc == host)
        if not own:
            return "no dataset IRI is at this address"
        for d in own[:2] + own[-1:]:
            r = self.session.get(urldefrag(d)[0], headers={"Accept": "text/turtle"}, timeout=60)
            need(r.status_code == 200, f"{d}: {r.status_code}")
            if "turtle" in r.headers.get("Content-Type", ""):
                sub = Graph().parse(data=r.content.decode(), format="turtle", publicID=r.url)
                need((URIRef(d), RDF.type, DCAT.Dataset) in sub, f"{d} does not describe itself")
        return f"{len(own)} are"

    def all(self):
        self.run("shapes_can_fail", self.self_test)
        self.run("jsonld", self.get, "json-ld", ".jsonld")
        self.run("ttl", self.get, "turtle", ".ttl")
        if len(self.graphs) == 2:
            for name, body, *a in (("same_triples", self.same), ("stable", self.stable), ("catalogue", self.catalogue), ("paging", self.paging),
                                   ("shapes_jsonld", self.valid, "json-ld"), ("shapes_ttl", self.valid, "turtle"),
                                   ("accept_jsonld", self.negotiated, "json-ld"), ("accept_ttl", self.negotiated, "turtle"),
                                   ("dereference", self.dereference)):
                self.run(name, body, *a)
        self.run("negotiation", self.negotiation)
        return 1 if self.failed else 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("base_url")
    a.add_argument("--path", default="/catalog")
    a.add_argument("--shapes", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "dcat-shapes.ttl"))
    a.add_argument("--warnings", action="store_true", help="print every warning")
    a.add_argument("--expect", type=int, help="the number of datasets")
    a.add_argument("--header", action="append", default=[])
    return Check(a.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
