#!/usr/bin/env python3
"""Checks what describes a node's resources to programs: Data Packages, Table Schemas, JSON Schemas.

    packages.py BASE_URL [CODE...]

Without codes, all that /api/v1/resources lists to the public. frictionless validates datapackage.json with the rows at their address,
and what is in package.zip; jsonschema validates every record. One line per check: `ok NAME` or `FAIL NAME: why`; exit 1 on any FAIL.
"""
import argparse, io, json, os, re, sys, tempfile, zipfile

import requests
from frictionless import Checklist, Package, Schema
from jsonschema import Draft202012Validator, FormatChecker


def need(condition, why):
    if not condition:
        raise AssertionError(why)


class Check:
    def __init__(self, o):
        self.base, self.o, self.failed = o.base_url.rstrip("/"), o, 0
        self.session = requests.Session()

    def run(self, name, body, *a):
        try:
            note = body(*a)
        except Exception as e:
            self.failed += 1
            print(f"FAIL {name}: " + " ".join(f"{'' if isinstance(e, AssertionError) else type(e).__name__ + ' '}{e}".split())[:900])
        else:
            print(f"ok {name}" + (f" ({note})" if note else ""))
        sys.stdout.flush()

    def get(self, path, kind=None):
        r = self.session.get(self.base + path, timeout=60)
        need(r.status_code == 200, f"{r.status_code} for {path}")
        got = r.headers.get("Content-Type", "").split(";")[0]
        need(kind is None or got == kind, f"{path} is {got}, expected {kind}")
        return r

    def codes(self):
        found, offset = [], 0
        while True:
            d = self.get(f"/api/v1/resources?limit=100&offset={offset}").json()
            found += [e["id"] for e in d["entries"] if e["rows"]]
            offset += len(d["entries"])
            if not d["entries"] or offset >= d["total"]:
                return found

    @staticmethod
    def errors(report):
        return "; ".join(f"{e[0]} {e[1]}" if isinstance(e, (list, tuple)) else str(e) for e in
                         [(e.type, e.message) for e in report.errors] + [(e.type, e.message) for t in report.tasks for e in t.errors][:6])

    def package(self, code):
        """The description by itself, and the rows at the address that it gives."""
        d = self.get(f"/api/v1/resources/{code}/datapackage.json", "application/json").json()
        for name in ("name", "title", "resources"):
            need(d.get(name), f"no {name}")
        need(re.fullmatch(r"[a-z0-9._-]+", d["name"]), f"name {d['name']}")
        need(d["resources"][0]["path"].startswith(self.base) or d["resources"][0]["path"].startswith("http"), f"path {d['resources'][0]['path']}")
        report = Package.from_descriptor(d).validate(checklist=Checklist(), parallel=False)
        need(report.valid, self.errors(report))
        need(report.tasks[0].stats["rows"] == len(self.records(code)), f"{report.tasks[0].stats['rows']} rows, {len(self.records(code))} in records.json")
        self.values(code, Package.from_descriptor(d).resources[0].read_rows())
        return f"{report.tasks[0].stats['rows']} rows"

    def zip(self, code):
        with tempfile.TemporaryDirectory() as folder:
            body = self.get(f"/api/v1/resources/{code}/package.zip", "application/zip").content
            with zipfile.ZipFile(io.BytesIO(body)) as z:
                need(z.testzip() is None, "a broken member")
                names = z.namelist()
                need(set(names) == {"datapackage.json", "data.csv"} and len(names) == 2, f"members {names}")
                z.extractall(folder)
            path = os.path.join(folder, "datapackage.json")
            d = json.load(open(path, encoding="utf-8"))
            need(d["resources"][0]["path"] == "data.csv", f"path {d['resources'][0]['path']}")
            report = Package(path).validate()
            need(report.valid, self.errors(report))
            need(report.tasks[0].stats["rows"] == len(self.records(code)), f"{report.tasks[0].stats['rows']} rows, {len(self.records(code))} in records.json")
            self.values(code, Package(path).resources[0].read_rows())

    def values(self, code, rows):
        """What frictionless reads is what records.json says."""
        for n, (one, other) in enumerate(zip(rows, self.records(code))):
            for name, value in one.items():
                right = other[name]
                if isinstance(right, (int, float)) and not isinstance(right, bool):
                    same = value is not None and abs(float(value) - right) <= 1e-9 * max(1, abs(right))
                elif right is None or isinstance(right, bool) or isinstance(value, str):
                    same = value == right or value is None and right == "" or isinstance(right, list) and value == " ".join(map(str, right))
                else:
                    same = True  # Times: read by their format, which validation asserts.
                need(same, f"row {n + 1}: {name} is {value!r}, {right!r} in records.json")

    def records(self, code):
        if code not in self.kept:
            self.kept[code] = self.get(f"/api/v1/resources/{code}/records.json", "application/json").json()
        return self.kept[code]

    def table_schema(self, code):
        d = self.get(f"/api/v1/resources/{code}/tableschema.json", "application/json").json()
        schema = Schema.from_descriptor(d)
        described = self.get(f"/api/v1/resources/{code}/datapackage.json").json()["resources"][0]["schema"]
        need([f["name"] for f in d["fields"]] == [f["name"] for f in described["fields"]] and d["fields"] == described["fields"], "other fields than in datapackage.json")
        names = [f.name for f in schema.fields]
        need(len(names) == len(set(names)), "a field twice")
        first = self.get(f"/api/v1/resources/{code}/records.csv?limit=1").content.decode("utf-8-sig").splitlines()[0]
        need(first.replace('"', "") == ",".join(names), f"the file's header is {first[:200]}")
        for key in described.get("primaryKey", []):
            need(key in names, f"key {key} is no field")
        if described.get("primaryKey"):
            keys = [tuple(str(r[k]) for k in described["primaryKey"]) for r in self.records(code)]
            need(len(keys) == len(set(keys)), "the key is not unique")

    def json_schema(self, code):
        d = self.get(f"/api/v1/resources/{code}/schema.json", "application/schema+json").json()
        Draft202012Validator.check_schema(d)
        need(d["$schema"] == "https://json-schema.org/draft/2020-12/schema" and d["$id"].endswith(f"/api/v1/resources/{code}/schema.json"), f"{d['$schema']} {d['$id']}")
        validator = Draft202012Validator(d, format_checker=FormatChecker())
        paged = self.get(f"/api/v1/resources/{code}/records?limit=500").json()["records"]
        for name, rows in (("records.json", self.records(code)), ("records", paged)):
            for n, row in enumerate(rows):
                for e in validator.iter_errors(row):
                    raise AssertionError(f"{name} row {n + 1}, {'.'.join(map(str, e.absolute_path))}: {e.message[:200]}")
                need(set(row) <= set(d["properties"]), f"{name} row {n + 1}: no word of {sorted(set(row) - set(d['properties']))}")
        # The schema says something: rows with wrong values do not pass.
        wrong = dict(self.records(code)[0])
        for name in wrong:
            spoilt = {**wrong, name: {"a": 1}}
            need(next(validator.iter_errors(spoilt), None), f"an object passes for {name}")
        return f"{len(self.records(code))} records"

    def missing(self):
        for name in ("datapackage.json", "package.zip", "tableschema.json", "schema.json", "openapi.json"):
            r = self.session.get(f"{self.base}/api/v1/resources/999999-999999/{name}", timeout=20)
            need(r.status_code == 404 and r.headers["Content-Type"].startswith("application/problem+json"), f"{name}: {r.status_code}")

    def all(self):
        self.kept = {}
        try:
            codes = self.o.code or self.codes()
        except Exception as e:
            print(f"FAIL codes: {e}")
            return 1
        need(codes, "no resources")
        for code in codes:
            for name, body in (("package", self.package), ("zip", self.zip), ("tableschema", self.table_schema), ("schema", self.json_schema)):
                self.run(f"{name}_{code}", body, code)
            self.kept.pop(code, None)
        self.run("missing", self.missing)
        return 1 if self.failed else 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("base_url")
    a.add_argument("code", nargs="*")
    return Check(a.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
