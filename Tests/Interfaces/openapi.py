#!/usr/bin/env python3
"""Checks a node's OpenAPI documents and asks what they describe.

    openapi.py BASE_URL [--seconds N] [--seed N] [CODE...]

openapi-spec-validator reads /openapi.json and the openapi.json of five resources; schemathesis then asks for N seconds (25) what is public
of them: no answer may be a server error, and each is as documented. To reach rows, the paths of /openapi.json get codes that exist and
the parameters that it leaves out. One line per check: `ok NAME` or `FAIL NAME: why`; exit 1 on any FAIL.
"""
import argparse, copy, json, os, re, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
ROWS = {"filter": TEXT, "sort": TEXT, "fields": TEXT, "version": TEXT, "limit": NUMBER, "offset": NUMBER, "cursor": TEXT, "bom": TEXT}
MORE = [("/aggregate$", {"group": TEXT, "measure": TEXT, "filter": TEXT, "sort": TEXT, "limit": NUMBER}),
        ("/tiles/", {"fields": TEXT, "filter": TEXT}), ("/difference$", {"from": NUMBER, "to": NUMBER, "f": TEXT}), (r"/records(\.\w+)?$", ROWS),
        ("/ogc/collections/[^/]+/items$", {**{n: TEXT for n in ("bbox", "datetime", "filter", "filter-lang", "crs", "bbox-crs", "sortby", "properties", "q", "ids")}, "limit": NUMBER, "offset": NUMBER}),
        ("/datastore/dump/", {**{n: TEXT for n in ("format", "filters", "q", "fields", "sort", "bom")}, "limit": NUMBER, "offset": NUMBER}),
        ("/action/", {**{n: TEXT for n in ("id", "q", "fq", "sort", "query", "order_by", "facet.field", "filters", "resource_id", "fields", "records_format", "name")},
                      "rows": NUMBER, "start": NUMBER, "limit": NUMBER, "offset": NUMBER}),
        ("^/catalog|/ogc/collections$", {"page": TEXT, "limit": NUMBER, "offset": NUMBER})]


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
            print(f"FAIL {name}: " + " ".join(f"{'' if isinstance(e, AssertionError) else type(e).__name__ + ' '}{e}".split())[:1500])
        else:
            print(f"ok {name}" + (f" ({note})" if note else ""))
        sys.stdout.flush()

    def document(self, path):
        r = self.session.get(self.base + path, timeout=30)
        need(r.status_code == 200 and "json" in r.headers["Content-Type"], f"{r.status_code} {r.headers['Content-Type']} for {path}")
        return r.json()

    def valid(self, path):
        d = self.document(path)
        need(d["openapi"].startswith("3.1"), f"openapi {d['openapi']}")
        found = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in OpenAPIV31SpecValidator(d).iter_errors()]
        need(not found, "; ".join(found[:5]))
        ids = [o["operationId"] for p in d["paths"].values() for o in p.values()]
        need(len(ids) == len(set(ids)), "an operationId twice")
        for p, operations in d["paths"].items():
            for o in operations.values():
                told = {x["name"] for x in o.get("parameters", []) if x["in"] == "path"}
                need(told == set(re.findall(r"\{(\w+)\}", p)), f"{p}: parameters {sorted(told)}")
        return f"{len(ids)} operations"

    def codes(self):
        found = self.document("/api/v1/resources?limit=100")["entries"]
        need(len(found) >= 5, f"{len(found)} resources")
        # Those with places and dates, which have more to ask about, and those of few fields.
        best = sorted(found, key=lambda e: -self.worth(e["id"]))
        return [e["id"] for e in best[:3] + best[-2:]]

    def worth(self, code):
        fields = self.document(f"/api/v1/resources/{code}/tableschema.json")["fields"]
        return len({f["type"] for f in fields}) * 100 + len(fields)

    def public(self):
        """/openapi.json without what only a session sees, and with what exists in its paths."""
        d = copy.deepcopy(self.document("/openapi.json"))
        code = self.targets[0]
        actions = [a for a in ("package_list", "package_show", "package_search", "resource_show", "resource_search", "organization_list", "organization_show", "group_list", "group_show",
                               "tag_list", "license_list", "datastore_search", "status_show", "site_read", "help_show", "no_such")]
        shown = self.session.get(f"{self.base}/api/3/action/package_show?id={code}", timeout=30)
        resource = shown.json()["result"]["resources"][0]["id"] if shown.status_code == 200 else "x"
        values = {"code": [code, "999999-999999"], "resource": [resource, "x"], "action": actions, "collection": [code, "catalogue"], "zoom": ["0", "6", "x"], "column": ["0", "52", "-1"],
                  "row": ["0", "24.mvt", "24.pbf", "x"]}
        paths = {}
        for path, operations in d["paths"].items():
            one = operations.get("get")
            if not one:
                continue
            for p in one["parameters"]:
                if p["in"] == "path" and p["name"] in values:
                    p["schema"] = {"type": "string", "enum": values[p["name"]] + (["catalogue"] if path.startswith("/ogc/") and p["name"] == "code" else [])}
            known = {p["name"] for p in one["parameters"]}
            for pattern, names in MORE:
                if re.search(pattern, path):
                    one["parameters"] += [{"name": n, "in": "query", "required": False, "schema": s} for n, s in names.items() if n not in known]
                    known |= set(names)
            address = re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], ["1"])[0], path)
            if self.session.get(self.base + address, timeout=60).status_code in (401, 403):
                continue
            paths[path] = {"get": one}
        d["paths"] = paths
        need(len(paths) >= 20, f"{len(paths)} public operations")
        return d

    def joined(self, own):
        """The documents of resources as one, which is begun once: each has schemas of its own."""
        out = None
        for n, path in enumerate(own.values()):
            text = json.dumps(self.document(path)).replace("#/components/schemas/", f"#/components/schemas/R{n}_")
            d = json.loads(text)
            d["components"]["schemas"] = {f"R{n}_{k}": v for k, v in d["components"]["schemas"].items()}
            for operations in d["paths"].values():
                for o in operations.values():
                    o["operationId"] += f"_{n}"
            if out is None:
                out = d
            else:
                out["paths"].update(d["paths"])
                out["components"]["schemas"].update(d["components"]["schemas"])
        return out

    @staticmethod
    def short(document):
        """Texts no longer than what fits the head of a request (80 KB, each character up to 12 bytes)."""
        for operations in document["paths"].values():
            for o in operations.values():
                for p in o.get("parameters", []):
                    if p["schema"].get("type") == "string" and "enum" not in p["schema"]:
                        p["schema"] = {**p["schema"], "maxLength": min(500, p["schema"].get("maxLength", 500))}
                    elif p["schema"].get("type") == "array":
                        p["schema"] = {**p["schema"], "maxItems": 50}
        return document

    def ask(self, document, seconds):
        """What schemathesis found, a text for each failure."""
        with tempfile.TemporaryDirectory() as folder:
            file, report = os.path.join(folder, "document.json"), os.path.join(folder, "report.json")
            with open(file, "w", encoding="utf-8") as f:
                json.dump(self.short(document), f)
            done = subprocess.run(
                [sys.executable, "-m", "schemathesis.cli", "run", file, "-u", self.base, "--include-method", "GET", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "-n", "20",
                 "--max-time", str(seconds), "--no-shrink", "--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "20", "--seed", str(self.o.seed),
                 "--report-json-path", report], cwd=folder, capture_output=True, text=True, timeout=seconds * 3 + 60)
            need(os.path.exists(report), f"schemathesis says {done.returncode}: {(done.stderr or done.stdout)[-600:]}")
            with open(report, encoding="utf-8") as f:
                d = json.load(f)
            # What could not be reached at all is no answer of the node's.
            found = d["failures"] + d["errors"]
            if found:
                text = done.stdout.split("= FAILURES =")[-1] if "= FAILURES =" in done.stdout else done.stdout
                needed = [x for x in re.split(r"\n(?=_{3,} )", text) if x.strip("_= \n")]
                raise AssertionError(f"{len(found)} kinds: " + " | ".join(" ".join(x.split("💡")[0].split("= WARNINGS")[0].strip("_ =\n").split())[:500] for x in needed[:4]))
            need(done.returncode == 0, f"schemathesis ended with {done.returncode}: {done.stdout[-400:]}")
            need(d["test_cases"]["generated"] >= 20, f"only {d['test_cases']['generated']} requests")
            return f"{d['test_cases']['generated']} requests to {d['operations']['tested']} operations"

    def all(self):
        self.targets = self.o.code
        if not self.targets:
            try:
                self.targets = self.codes()
            except Exception as e:
                print(f"FAIL codes: {e}")
                return 1
        own = {code: f"/api/v1/resources/{code}/openapi.json" for code in self.targets}
        self.run("valid", self.valid, "/openapi.json")
        for code, path in own.items():
            self.run(f"valid_{code}", self.valid, path)
        with ThreadPoolExecutor(2) as pool:
            parts = pool.submit(lambda: self.ask(self.joined(own), self.o.seconds))
            whole = pool.submit(lambda: self.ask(self.public(), self.o.seconds))
            self.run("asked_resources", parts.result)
            self.run("asked", whole.result)
        r = self.session.get(self.base + "/healthz", timeout=20)
        self.run("alive", lambda: need(r.status_code == 200, f"{r.status_code}"))
        return 1 if self.failed else 0


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("base_url")
    a.add_argument("code", nargs="*")
    a.add_argument("--seconds", type=int, default=25)
    a.add_argument("--seed", type=int, default=1)
    return Check(a.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
