#!/usr/bin/env python3
"""Contract test of a read-only CKAN Action API v3.

    check.py BASE_URL DATASET_ID RESOURCE_ID [options]

DATASET_ID is the id or name of a public dataset, RESOURCE_ID the id of one of its
resources that is in the DataStore and has at least 100 rows. Nothing else is assumed.
Prints one line per check: `ok NAME`, `ok NAME (skipped: why)` or `FAIL NAME: why`.
Exit code 0 when nothing failed, 1 when something failed, 2 when called wrongly.
Needs `pip install ckanapi requests`. See contract.md for the rules.
"""
import argparse
import csv
import datetime as dt
import functools
import io
import json
import re
import sys
import time
import traceback
import uuid
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urljoin, urlsplit

import ckanapi
import requests

csv.field_size_limit(10 ** 9)

NOWHERE = "00000000-0000-4000-8000-00000000dead"
NAME = re.compile(r"[a-z0-9_-]{2,100}\Z")
TAG = re.compile(r"[\w \-.]{2,100}\Z")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\Z")
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
RESERVED = {"new", "edit", "search"}
ROOT_KEYS = {
    "id", "name", "title", "author", "author_email", "maintainer", "maintainer_email",
    "license_id", "notes", "url", "version", "state", "type", "owner_org", "private",
    "resources", "tags", "tag_string", "extras", "groups", "save", "return_to",
    "relationships_as_object", "relationships_as_subject", "plugin_data", "metadata_modified",
}
PACKAGE_KEYS = [
    "id", "name", "title", "notes", "type", "state", "private", "metadata_created",
    "metadata_modified", "license_id", "license_title", "isopen", "author", "author_email",
    "maintainer", "maintainer_email", "url", "version", "owner_org", "organization", "groups",
    "tags", "extras", "resources", "num_resources", "num_tags", "creator_user_id",
    "relationships_as_subject", "relationships_as_object",
]
RESOURCE_KEYS = [
    "id", "package_id", "name", "description", "url", "format", "mimetype", "mimetype_inner",
    "size", "hash", "created", "last_modified", "metadata_modified", "position", "state",
    "resource_type", "url_type", "cache_url", "cache_last_updated",
]
ORGANIZATION_SHORT = [
    "id", "name", "title", "type", "description", "image_url", "created", "is_organization",
    "approval_status", "state",
]
ORGANIZATION_FULL = ORGANIZATION_SHORT + [
    "display_name", "image_display_url", "package_count", "num_followers",
]
RESOURCE_TYPES = {
    None, "", "file", "file.upload", "api", "metadata", "documentation", "image", "visualization",
}


class Skip(Exception):
    pass


CHECKS = []


def check(name):
    def mark(function):
        CHECKS.append((name, function))
        return function
    return mark


def need(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(got, wanted, what):
    need(got == wanted, "%s is %s, expected %s" % (what, short(got), short(wanted)))


def has_keys(dictionary, keys, what):
    need(isinstance(dictionary, dict), "%s is not an object but %s" % (what, short(dictionary)))
    missing = [k for k in keys if k not in dictionary]
    need(not missing, "%s lacks the keys %s" % (what, ", ".join(missing)))


def short(value, limit=160):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_uuid(value):
    try:
        uuid.UUID(value)
        return isinstance(value, str)
    except (ValueError, AttributeError, TypeError):
        return False


def string_or_none(value):
    return value is None or isinstance(value, str)


def instant(text):
    return dt.datetime.fromisoformat(text)


def solr_quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Remote:
    """The server under test and what has been learned about it."""

    def __init__(self, base, dataset, resource, options):
        self.base = base.rstrip("/")
        self.dataset_ref = dataset
        self.resource_ref = resource
        self.options = options
        self.http = requests.Session()
        self.http.headers["User-Agent"] = "ckan-contract-check/1"

    # --- requests -----------------------------------------------------------------
    def url(self, action, versioned=True):
        return "%s/api/%saction/%s" % (self.base, "3/" if versioned else "", action)

    def send(self, method, url, **kw):
        kw.setdefault("timeout", self.options.timeout)
        kw.setdefault("allow_redirects", False)
        for attempt in range(4):
            answer = self.http.request(method, url, **kw)
            if answer.status_code != 429 or attempt == 3:
                return answer
            try:
                pause = float(answer.headers.get("Retry-After", "1"))
            except ValueError:
                pause = 1.0
            time.sleep(min(max(pause, 0.1), 30))
        return answer

    def get_raw(self, action, params=None, **kw):
        return self.send("GET", self.url(action), params=params, **kw)

    def post_raw(self, action, body=None, **kw):
        return self.send("POST", self.url(action), json={} if body is None else body, **kw)

    def parse(self, answer, action):
        kind = answer.headers.get("Content-Type", "")
        need(kind.split(";")[0].strip() == "application/json",
             "%s: Content-Type is %r (HTTP %d), expected application/json"
             % (action, kind, answer.status_code))
        try:
            return answer.json()
        except ValueError:
            raise AssertionError("%s: body is not JSON: %s" % (action, short(answer.text)))

    def result(self, answer, action):
        need(answer.status_code == 200,
             "%s: HTTP %d, expected 200: %s" % (action, answer.status_code, short(answer.text)))
        body = self.parse(answer, action)
        need(isinstance(body, dict), "%s: the envelope is not an object" % action)
        need(body.get("success") is True, "%s: success is %r" % (action, body.get("success")))
        need("result" in body, "%s: no result" % action)
        need(isinstance(body.get("help"), str) and action in body["help"],
             "%s: help is %s, expected an address naming the action" % (action, short(body.get("help"))))
        need("error" not in body, "%s: error present in a success" % action)
        return body["result"]

    def get(self, action, **params):
        return self.result(self.get_raw(action, params), action)

    def getp(self, action, params):
        return self.result(self.get_raw(action, params), action)

    def post(self, action, body=None):
        return self.result(self.post_raw(action, body), action)

    def error(self, answer, action, status, kind, key=None, text=None):
        """Asserts an error envelope and gives its `error` object."""
        statuses = status if isinstance(status, tuple) else (status,)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        need(answer.status_code in statuses,
             "%s: HTTP %d, expected %s: %s" % (action, answer.status_code,
                                              " or ".join(map(str, statuses)), short(answer.text)))
        body = self.parse(answer, action)
        need(isinstance(body, dict), "%s: expected an error envelope, got %s" % (action, short(body)))
        need(body.get("success") is False, "%s: success is %r, expected false" % (action, body.get("success")))
        need("result" not in body, "%s: result present in an error" % action)
        need(isinstance(body.get("help"), str), "%s: help missing in an error" % action)
        error = body.get("error")
        need(isinstance(error, dict), "%s: error is not an object" % action)
        need(error.get("__type") in kinds,
             "%s: __type is %r, expected %s" % (action, error.get("__type"), " or ".join(kinds)))
        if error["__type"] == "Validation Error":
            if key is not None:
                need(key in error, "%s: error has no key %r: %s" % (action, key, short(error)))
                if text is not None:
                    need(text in json.dumps(error[key], ensure_ascii=False),
                         "%s: error[%r] is %s, expected to contain %r" % (action, key, short(error[key]), text))
        else:
            need(isinstance(error.get("message"), str), "%s: error has no message" % action)
            if text is not None:
                need(text in error["message"], "%s: message is %r, expected to contain %r"
                     % (action, error["message"], text))
        return error

    def bad_request(self, answer, what):
        need(answer.status_code == 400, "%s: HTTP %d, expected 400" % (what, answer.status_code))
        body = self.parse(answer, what)
        need(isinstance(body, str) and body.startswith("Bad request"),
             "%s: body is %s, expected a JSON string starting with 'Bad request'" % (what, short(body)))

    def search(self, **params):
        """package_search by GET; dots in names come as double underscores."""
        return self.getp("package_search", {k.replace("__", "."): v for k, v in params.items()})

    def rows(self, **params):
        params.setdefault("resource_id", self.resource_ref)
        return self.getp("datastore_search", params)

    def dump(self, resource=None, **params):
        return self.send("GET", "%s/datastore/dump/%s" % (self.base, resource or self.resource_ref),
                         params=params)

    # --- learned once -------------------------------------------------------------
    @functools.cached_property
    def dataset(self):
        return self.get("package_show", id=self.dataset_ref)

    @functools.cached_property
    def sample(self):
        """The first hundred rows."""
        return self.rows(limit=100)

    @functools.cached_property
    def total(self):
        return self.sample["total"]

    @functools.cached_property
    def columns(self):
        return [f["id"] for f in self.sample["fields"] if f["id"] != "_id"]

    @functools.cached_property
    def types(self):
        return {f["id"]: f["type"] for f in self.sample["fields"]}

    @functools.cached_property
    def best_column(self):
        """A column with several different simple values, text before numbers."""
        best, mark = None, -1
        for column in self.columns:
            values = [r[column] for r in self.sample["records"] if r[column] not in (None, "")]
            plain = all(isinstance(v, (str, int)) and not isinstance(v, bool) for v in values)
            if not values or not plain:
                continue
            different = len(set(values))
            score = min(different, 20) + (10 if isinstance(values[0], str) else 0)
            if isinstance(values[0], str) and max(len(v) for v in values) > 500:
                continue
            if different > 1 and score > mark:
                best, mark = column, score
        if best is None:
            raise Skip("no column with two different simple values in the first 100 rows")
        return best

    def values(self, column):
        seen = []
        for r in self.sample["records"]:
            if r[column] not in (None, "") and r[column] not in seen:
                seen.append(r[column])
        return seen


def validate_package(p, what="dataset"):
    """What importers of CKAN and udata insist on."""
    has_keys(p, PACKAGE_KEYS, what)
    what = "%s %s" % (what, p["name"])
    need(is_uuid(p["id"]), "%s: id %r is not a UUID" % (what, p["id"]))
    need(isinstance(p["name"], str) and NAME.match(p["name"]) and p["name"] not in RESERVED,
         "%s: name must match [a-z0-9_-]{2,100}" % what)
    need(isinstance(p["title"], str) and p["title"].strip(), "%s: title is empty" % what)
    for key in ("notes", "license_id", "license_title", "author", "author_email", "maintainer",
                "maintainer_email", "url", "version", "owner_org"):
        need(string_or_none(p[key]), "%s: %s is %s, expected string or null" % (what, key, short(p[key])))
    for key in ("author_email", "maintainer_email"):
        need(not p[key] or MAIL.match(p[key]), "%s: %s %r is no e-mail address" % (what, key, p[key]))
    need(len(p["version"] or "") <= 100, "%s: version is longer than 100" % what)
    equal(p["type"], "dataset", what + ": type")
    equal(p["state"], "active", what + ": state")
    need(p["private"] is False, "%s: private is %r" % (what, p["private"]))
    need(isinstance(p["isopen"], bool), "%s: isopen is %r" % (what, p["isopen"]))
    for key in ("metadata_created", "metadata_modified"):
        need(isinstance(p[key], str) and INSTANT.match(p[key]),
             "%s: %s is %r, expected YYYY-MM-DDThh:mm:ss[.ffffff] without zone" % (what, key, p[key]))
        need(instant(p[key]) < utc_now() + dt.timedelta(minutes=5),
             "%s: %s %s lies in the future: not UTC?" % (what, key, p[key]))
    need(p["metadata_created"][:19] <= p["metadata_modified"][:19],
         "%s: modified before it was created" % what)
    for key in ("relationships_as_subject", "relationships_as_object", "groups", "tags", "extras", "resources"):
        need(isinstance(p[key], list), "%s: %s is not a list" % (what, key))
    equal(p["num_resources"], len(p["resources"]), what + ": num_resources")
    equal(p["num_tags"], len(p["tags"]), what + ": num_tags")
    for tag in p["tags"]:
        has_keys(tag, ["id", "name", "display_name", "state", "vocabulary_id"], what + ": tag")
        need(isinstance(tag["id"], str), "%s: tag id is not a string" % what)
        need(isinstance(tag["name"], str) and TAG.match(tag["name"]),
             "%s: tag %r must be 2–100 letters, digits, space, '-', '_', '.'" % (what, tag["name"]))
    names = [t["name"] for t in p["tags"]]
    equal(len(set(names)), len(names), what + ": number of different tags")
    keys = []
    for extra in p["extras"]:
        has_keys(extra, ["key", "value"], what + ": extra")
        need(isinstance(extra["key"], str) and extra["key"], "%s: extra without key" % what)
        need(isinstance(extra["value"], str), "%s: extra %s has the value %s, expected a string"
             % (what, extra["key"], short(extra["value"])))
        need(extra["key"] not in ROOT_KEYS, "%s: extra %r is named like a dataset key" % (what, extra["key"]))
        keys.append(extra["key"])
    equal(len(set(keys)), len(keys), what + ": number of different extras")
    for group in p["groups"]:
        has_keys(group, ["id", "name", "title", "display_name", "description", "image_display_url"], what + ": group")
    if p["organization"] is None:
        need(p["owner_org"] is None, "%s: owner_org without organization" % what)
    else:
        validate_organization(p["organization"], ORGANIZATION_SHORT, what + ": organization")
        equal(p["owner_org"], p["organization"]["id"], what + ": owner_org")
    ids = set()
    for n, r in enumerate(p["resources"]):
        validate_resource(r, "%s: resource %d" % (what, n))
        equal(r["package_id"], p["id"], "%s: package_id of resource %d" % (what, n))
        equal(r["position"], n, "%s: position of resource %d" % (what, n))
        need(r["id"] not in ids, "%s: resource id %s twice" % (what, r["id"]))
        ids.add(r["id"])


def validate_resource(r, what):
    has_keys(r, RESOURCE_KEYS, what)
    need(is_uuid(r["id"]), "%s: id %r is not a UUID" % (what, r["id"]))
    for key in ("name", "description", "mimetype", "mimetype_inner", "hash", "url_type", "cache_url"):
        need(string_or_none(r[key]), "%s: %s is %s" % (what, key, short(r[key])))
    need(isinstance(r["url"], str) and re.match(r"https?://[^/\s]+\S*\Z", r["url"]),
         "%s: url %r is no absolute http(s) address" % (what, r["url"]))
    need(isinstance(r["format"], str), "%s: format is %r, expected a string" % (what, r["format"]))
    need(r["size"] is None or is_int(r["size"]), "%s: size is %r, expected integer or null" % (what, r["size"]))
    need(isinstance(r["created"], str) and INSTANT.match(r["created"]), "%s: created is %r" % (what, r["created"]))
    for key in ("last_modified", "metadata_modified", "cache_last_updated"):
        need(r[key] is None or (isinstance(r[key], str) and INSTANT.match(r[key])),
             "%s: %s is %r" % (what, key, r[key]))
    equal(r["state"], "active", what + ": state")
    need(r["resource_type"] in RESOURCE_TYPES, "%s: resource_type %r is not a known one" % (what, r["resource_type"]))
    if "datastore_active" in r:
        need(isinstance(r["datastore_active"], bool), "%s: datastore_active is not boolean" % what)


def validate_organization(o, keys, what, group=False):
    has_keys(o, keys, what)
    need(is_uuid(o["id"]), "%s: id %r is not a UUID" % (what, o["id"]))
    need(isinstance(o["name"], str) and NAME.match(o["name"]), "%s: name %r is no slug" % (what, o["name"]))
    for key in ("title", "description", "image_url"):
        need(isinstance(o[key], str), "%s: %s is %r, expected a string" % (what, key, o[key]))
    equal(o["type"], "group" if group else "organization", what + ": type")
    equal(o["is_organization"], not group, what + ": is_organization")
    equal(o["state"], "active", what + ": state")
    equal(o["approval_status"], "approved", what + ": approval_status")
    need(isinstance(o["created"], str) and INSTANT.match(o["created"]), "%s: created is %r" % (what, o["created"]))
    if "package_count" in keys:
        need(is_int(o["package_count"]), "%s: package_count is %r" % (what, o["package_count"]))
        equal(o["display_name"], o["title"] or o["name"], what + ": display_name")


def utc_now():
    return dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)


# ================================================================ routes and envelope

@check("api-version")
def _(s):
    answer = s.send("GET", s.base + "/api/3")
    need(answer.status_code == 200, "HTTP %d" % answer.status_code)
    equal(s.parse(answer, "/api/3"), {"version": 3}, "/api/3")


@check("status_show")
def _(s):
    r = s.get("status_show")
    has_keys(r, ["site_title", "site_description", "site_url", "error_emails_to", "locale_default",
                 "extensions", "ckan_version"], "status_show")
    need(isinstance(r["extensions"], list) and "datastore" in r["extensions"],
         "extensions %s does not list datastore" % short(r["extensions"]))
    need(re.match(r"\d+\.\d+", str(r["ckan_version"])), "ckan_version %r is not like 2.11.0" % r["ckan_version"])


@check("site_read")
def _(s):
    need(s.get("site_read") is True, "result is not true")


@check("help_show")
def _(s):
    r = s.get("help_show", name="package_show")
    need(r is None or isinstance(r, str), "result is %s" % short(r))
    s.error(s.get_raw("help_show", {"name": "no_such_action"}), "help_show", 404, "Not Found Error")


@check("path-without-version")
def _(s):
    answer = s.send("GET", s.url("package_show", versioned=False), params={"id": s.dataset_ref})
    equal(s.result(answer, "package_show")["id"], s.dataset["id"], "id")


@check("post-json")
def _(s):
    equal(s.post("package_show", {"id": s.dataset_ref}), s.dataset, "package_show by POST")


@check("post-without-version-unredirected")
def _(s):
    answer = s.send("POST", s.url("package_show", versioned=False), json={"id": s.dataset_ref})
    equal(s.result(answer, "package_show")["id"], s.dataset["id"], "id")


@check("post-form-pairs")
def _(s):
    answer = s.send("POST", s.url("package_show"), data={"id": s.dataset_ref, "use_default_schema": "false"})
    equal(s.result(answer, "package_show")["id"], s.dataset["id"], "id")


@check("post-json-as-form-type")
def _(s):  # what `curl -d '{…}'` does
    answer = s.send("POST", s.url("package_show"), data=json.dumps({"id": s.dataset_ref}),
                    headers={"Content-Type": "application/x-www-form-urlencoded"})
    equal(s.result(answer, "package_show")["id"], s.dataset["id"], "id")


@check("post-query-string")
def _(s):
    answer = s.send("POST", s.url("package_show"), params={"id": s.dataset_ref})
    equal(s.result(answer, "package_show")["id"], s.dataset["id"], "id")


@check("post-empty-body")
def _(s):
    s.result(s.send("POST", s.url("status_show")), "status_show")


@check("content-type-charset")
def _(s):
    answer = s.get_raw("site_read")
    kind = answer.headers.get("Content-Type", "").lower().replace(" ", "")
    need(kind in ("application/json;charset=utf-8", "application/json"), "Content-Type %r" % kind)


@check("foreign-key-is-anonymous")
def _(s):
    for header in ("Authorization", "X-CKAN-API-Key"):
        answer = s.get_raw("package_show", {"id": s.dataset_ref}, headers={header: "not-a-key-of-yours"})
        s.result(answer, "package_show")


@check("bad-unknown-action")
def _(s):
    for method in ("GET", "POST"):
        s.bad_request(s.send(method, s.url("no_such_action_here")), method + " unknown action")


@check("bad-json")
def _(s):
    for body in ("{", "{\"id\": }", "nonsense"):
        answer = s.send("POST", s.url("package_show"), data=body, headers={"Content-Type": "application/json"})
        s.bad_request(answer, "body %r" % body)


@check("bad-json-not-object")
def _(s):
    for body in ("[1]", "\"x\"", "7"):
        answer = s.send("POST", s.url("package_show"), data=body, headers={"Content-Type": "application/json"})
        s.bad_request(answer, "body %r" % body)


@check("no-sql-endpoint")
def _(s):
    for answer in (s.get_raw("datastore_search_sql", {"sql": "SELECT 1"}),
                   s.post_raw("datastore_search_sql", {"sql": "SELECT 1"})):
        need(answer.status_code in (400, 403, 404), "HTTP %d" % answer.status_code)
        need('"success": true' not in answer.text and '"success":true' not in answer.text, "SQL was run")


@check("no-writes")
def _(s):
    for action in ("package_create", "package_patch", "package_delete", "resource_create",
                   "datastore_create", "datastore_upsert", "datastore_delete"):
        answer = s.post_raw(action, {})
        need(answer.status_code in (400, 403, 404, 405), "%s: HTTP %d" % (action, answer.status_code))


# ================================================================ datasets

@check("package_list")
def _(s):
    names = s.get("package_list")
    need(isinstance(names, list) and all(isinstance(n, str) for n in names), "result is not a list of strings")
    need(s.dataset["name"] in names, "%s is not listed" % s.dataset["name"])
    equal(names, sorted(set(names)), "the list compared with itself sorted and made unique")
    bad = [n for n in names if not NAME.match(n)]
    need(not bad, "names that are no slugs: %s" % short(bad))


@check("package_list-paging")
def _(s):
    whole = s.get("package_list")
    if len(whole) > 2000:
        equal(s.get("package_list", limit=50, offset=100), whole[100:150], "limit=50&offset=100")
    else:
        step, got, offset = max(1, len(whole) // 3), [], 0
        while True:
            page = s.get("package_list", limit=step, offset=offset)
            need(len(page) <= step, "limit=%d gave %d" % (step, len(page)))
            if not page:
                break
            got += page
            offset += step
        equal(got, whole, "all pages together")
    equal(s.post("package_list", {"limit": 1, "offset": 0}), whole[:1], "POST limit=1")
    equal(s.get("package_list", limit=1, offset=len(whole) + 1000), [], "a page behind the end")


@check("package_list-errors")
def _(s):
    s.error(s.get_raw("package_list", {"limit": "abc"}), "package_list", 409, "Validation Error", "limit", "Invalid integer")
    s.error(s.get_raw("package_list", {"limit": "-1"}), "package_list", 409, "Validation Error", "limit", "Must be a natural number")
    s.error(s.get_raw("package_list", {"limit": 1, "offset": "-1"}), "package_list", 409, "Validation Error", "offset")


@check("package_list-ignores-unknown")
def _(s):
    s.post("package_list", {"include_private": False, "include_drafts": False, "include_deleted": False, "limit": 1})


@check("package_show-shape")
def _(s):
    validate_package(s.dataset)


@check("package_show-by-id-and-name")
def _(s):
    p = s.dataset
    need(s.dataset_ref in (p["id"], p["name"]), "asked for %s, got %s" % (s.dataset_ref, p["id"]))
    equal(s.get("package_show", id=p["name"]), p, "by name")
    equal(s.get("package_show", id=p["id"]), p, "by id")
    equal(s.get("package_show", name_or_id=p["name"]), p, "by name_or_id")


@check("package_show-ignores-unknown")
def _(s):
    body = {"id": s.dataset["name"], "include_datasets": False, "include_password_hash": True, "include_users": False}
    equal(s.post("package_show", body)["id"], s.dataset["id"], "id")


@check("package_show-errors")
def _(s):
    for answer in (s.get_raw("package_show", {"id": NOWHERE}), s.post_raw("package_show", {"id": "no-such-dataset-xyz"})):
        s.error(answer, "package_show", 404, "Not Found Error", text="Not found")
    error = s.error(s.get_raw("package_show"), "package_show", 409, "Validation Error", "name_or_id", "Missing value")
    need(isinstance(error["name_or_id"], list), "the texts of a key must be a list")


@check("dataset-has-the-resource")
def _(s):
    mine = [r for r in s.dataset["resources"] if r["id"] == s.resource_ref]
    need(mine, "the dataset has no resource %s" % s.resource_ref)
    need(mine[0].get("datastore_active") is True, "datastore_active is %r" % mine[0].get("datastore_active"))


@check("resource_show")
def _(s):
    mine = [r for r in s.dataset["resources"] if r["id"] == s.resource_ref]
    need(mine, "the dataset has no resource %s" % s.resource_ref)
    equal(s.get("resource_show", id=s.resource_ref), mine[0], "GET")
    equal(s.post("resource_show", {"id": s.resource_ref}), mine[0], "POST")


@check("resource_show-errors")
def _(s):
    s.error(s.get_raw("resource_show", {"id": NOWHERE}), "resource_show", 404, "Not Found Error")
    s.error(s.get_raw("resource_show"), "resource_show", 409, "Validation Error", "id", "Missing value")


@check("resource_search")
def _(s):
    mine = s.get("resource_show", id=s.resource_ref)
    r = s.get("resource_search", query="id:" + s.resource_ref)
    has_keys(r, ["count", "results"], "result")
    equal(r["count"], 1, "count for the id")
    equal(r["results"][0]["id"], s.resource_ref, "found id")
    if mine["name"]:
        word = mine["name"][:20]
        both = s.post("resource_search", {"query": ["name:" + word, "format:" + mine["format"]], "limit": 1000})
        need(s.resource_ref in [x["id"] for x in both["results"]] or both["count"] > len(both["results"]),
             "name and format of the resource do not find it")
    r = s.get("resource_search", query="name:", limit=1)
    need(len(r["results"]) <= 1, "limit=1 gave %d" % len(r["results"]))


@check("resource_search-errors")
def _(s):
    s.error(s.get_raw("resource_search"), "resource_search", 409, "Validation Error", "query", "Missing value")
    s.error(s.get_raw("resource_search", {"query": "nocolon"}), "resource_search", 409, "Validation Error", "query")
    s.error(s.get_raw("resource_search", {"query": "nosuchfield:x"}), "resource_search", 409, "Validation Error", "query", "not recognised")


# ================================================================ organizations, groups, tags

def list_checks(s, action, show, group):
    names = s.get(action)
    need(isinstance(names, list) and all(isinstance(n, str) for n in names), "result is not a list of names")
    equal(len(set(names)), len(names), "number of different names")
    if not names:
        if group:
            equal(s.get(action, all_fields="true"), [], "all_fields")
            raise Skip("there are no groups")
        need(s.dataset["organization"] is None, "no organization listed, but the dataset has one")
        raise Skip("there are no organizations")
    by_name = s.get(action, sort="name asc")
    equal(by_name, sorted(by_name), "sort=name asc compared with sorted")
    equal(s.get(action, sort="name desc"), by_name[::-1] if len(names) < 1000 else s.get(action, sort="name desc"),
          "sort=name desc")
    equal(s.get(action, sort="name", limit=1), by_name[:1], "limit=1")
    equal(s.get(action, sort="name", limit=1, offset=1), by_name[1:2], "limit=1&offset=1")
    equal(s.get(action, limit=5, offset=100000), [], "a page behind the end")
    keep = "groups" if group else "organizations"
    equal(s.post(action, {keep: [names[0]]}), [names[0]], "%s=[one]" % keep)
    s.get(action, sort="package_count")
    s.get(action, sort="title asc")
    full = s.get(action, all_fields="true", limit=5)
    for o in full:
        validate_organization(o, ORGANIZATION_FULL, action, group)
        need("packages" not in o, "packages in a list")
        need("extras" not in o, "extras without include_extras")
    more = s.getp(action, {"all_fields": "true", "include_extras": "true", "include_users": "true",
                           "include_groups": "true", "include_tags": "true", "limit": 1000, "offset": 0})
    for o in more:
        need(isinstance(o.get("extras"), list), "include_extras gave extras %s" % short(o.get("extras")))
        need(isinstance(o.get("groups"), list), "include_groups gave groups %s" % short(o.get("groups")))
    # a crawl by the number received must end and meet everything
    seen, rounds = [], 0
    while rounds < 60:
        page = s.getp(action, {"all_fields": "true", "include_dataset_count": "false",
                               "sort": "name", "limit": 1000, "offset": len(seen)})
        if not page:
            break
        seen += [o["name"] for o in page]
        rounds += 1
    if rounds < 60:
        equal(len(seen), len(set(seen)), "organizations met while crawling all_fields")
        need(set(names) <= set(seen), "crawling all_fields missed %s" % short(set(names) - set(seen)))
    s.error(s.get_raw(action, {"sort": "colour"}), action, 409, "Validation Error", "message")
    s.error(s.get_raw(action, {"limit": "abc"}), action, 409, "Validation Error", "limit")
    one = s.get(show, id=names[0])
    validate_organization(one, ORGANIZATION_FULL, show, group)
    equal(one["name"], names[0], "name")
    equal(s.get(show, id=one["id"]), one, "by id")
    equal(s.post(show, {"id": one["name"]}), one, "by POST")
    need("packages" not in one, "packages without include_datasets")
    with_sets = s.get(show, id=names[0], include_datasets="true")
    need(isinstance(with_sets.get("packages"), list), "include_datasets gave packages %s" % short(with_sets.get("packages")))
    need(len(with_sets["packages"]) <= 1000, "more than 1000 packages")
    field = "groups" if group else "organization"
    found = s.search(fq="+%s:%s" % (field, solr_quote(names[0])), rows=0)
    equal(one["package_count"], found["count"], "package_count compared with package_search")
    need("package_count" not in s.get(show, id=names[0], include_dataset_count="false"),
         "package_count in spite of include_dataset_count=false")
    need("extras" not in s.get(show, id=names[0], include_extras="false"), "extras in spite of include_extras=false")
    other = "organization_show" if group else "group_show"
    s.error(s.get_raw(other, {"id": names[0]}), other, 404, "Not Found Error")


@check("organizations")
def _(s):
    list_checks(s, "organization_list", "organization_show", False)


@check("organization-of-the-dataset")
def _(s):
    p = s.dataset
    if not p["owner_org"]:
        raise Skip("the dataset has no organization")
    o = s.get("organization_show", id=p["owner_org"])
    equal(o["id"], p["owner_org"], "id")
    equal(o["title"], p["organization"]["title"], "title")
    need(o["package_count"] >= 1, "package_count is %r" % o["package_count"])


@check("organization_show-errors")
def _(s):
    s.error(s.get_raw("organization_show", {"id": NOWHERE}), "organization_show", 404, "Not Found Error")
    s.error(s.get_raw("organization_show"), "organization_show", 409, "Validation Error", "id", "Missing value")


@check("groups")
def _(s):
    list_checks(s, "group_list", "group_show", True)


@check("group_show-errors")
def _(s):
    s.error(s.get_raw("group_show", {"id": NOWHERE}), "group_show", 404, "Not Found Error")
    s.error(s.get_raw("group_show"), "group_show", 409, "Validation Error", "id", "Missing value")


@check("tag_list")
def _(s):
    tags = s.get("tag_list")
    need(isinstance(tags, list) and all(isinstance(t, str) for t in tags), "result is not a list of strings")
    equal(len(set(tags)), len(tags), "number of different tags")
    missing = [t["name"] for t in s.dataset["tags"] if t["name"] not in tags]
    need(not missing, "tags of the dataset are not listed: %s" % short(missing))
    if not tags:
        raise Skip("there are no tags")
    part = tags[0][:max(2, len(tags[0]) // 2)]
    found = s.get("tag_list", query=part)
    need(tags[0] in found, "query=%s does not find %s" % (part, tags[0]))
    wrong = [t for t in found if part.casefold() not in t.casefold()]
    need(not wrong, "query=%s also finds %s" % (part, short(wrong)))
    full = s.get("tag_list", query=part, all_fields="true")
    for t in full:
        has_keys(t, ["id", "name", "display_name", "vocabulary_id"], "tag")
    equal(sorted(t["name"] for t in full), sorted(found), "names with all_fields")
    equal(s.get("tag_list", query="zzz-no-such-tag-zzz"), [], "query without match")


# ================================================================ package_search

def ids(result):
    return [p["id"] for p in result["results"]]


@check("search-shape")
def _(s):
    for r in (s.search(), s.post("package_search")):
        has_keys(r, ["count", "facets", "results", "sort", "search_facets"], "result")
        need(is_int(r["count"]) and r["count"] >= 1, "count is %r" % r["count"])
        equal(r["facets"], {}, "facets without facet.field")
        equal(r["search_facets"], {}, "search_facets without facet.field")
        need(isinstance(r["sort"], str) and r["sort"], "sort is %r" % r["sort"])
        equal(len(r["results"]), min(10, r["count"]), "number of results without rows")


@check("search-count-is-package_list")
def _(s):
    equal(s.search(rows=0)["count"], len(s.get("package_list")), "count compared with package_list")


@check("search-gives-whole-datasets")
def _(s):
    r = s.search(fq="id:" + s.dataset["id"])
    equal(r["count"], 1, "count")
    equal(r["results"][0], s.get("package_show", id=s.dataset["id"]), "result compared with package_show")


@check("search-all-spellings")
def _(s):
    whole = s.search(rows=0)["count"]
    for params in ({"q": "*:*"}, {"q": ""}, {"q": "*:*", "fq": ""}, {"fq": "+capacity:public"},
                   {"fq": "+state:active"}, {"fq": "state:(active)"}, {"fq": "dataset_type:dataset"},
                   {"q": "*:*", "fq": "+dataset_type:dataset +capacity:public"},
                   {"fq": "-name:zzz-no-such-dataset"}, {"fq": "metadata_modified:[* TO *]"},
                   {"include_private": "false", "use_default_schema": "true"}):
        equal(s.getp("package_search", dict(params, rows=0))["count"], whole, "count with %s" % params)


@check("search-rows-and-start")
def _(s):
    whole = s.search(rows=0)
    equal(whole["results"], [], "results with rows=0")
    equal(len(s.search(rows=1)["results"]), 1, "results with rows=1")
    behind = s.search(rows=10, start=whole["count"] + 1000)
    equal(behind["results"], [], "results behind the end")
    equal(behind["count"], whole["count"], "count behind the end")
    two = ids(s.search(rows=2, sort="id asc"))
    equal(ids(s.search(rows=1, start=0, sort="id asc")) + ids(s.search(rows=1, start=1, sort="id asc")), two, "two pages of one")
    equal(ids(s.post("package_search", {"rows": 2, "start": 0, "sort": "id asc"})), two, "POST with numbers")
    equal(ids(s.post("package_search", {"rows": "2", "start": "0", "sort": "id asc"})), two, "POST with text numbers")


@check("search-rows-cap")
def _(s):
    r = s.search(rows=100000, sort="id asc")
    equal(len(r["results"]), min(1000, r["count"]), "results with rows=100000")


@check("search-errors")
def _(s):
    def bad(params, *rest):
        s.error(s.get_raw("package_search", params), "package_search %s" % params, *rest)
    bad({"rows": "abc"}, 409, "Validation Error", "rows", "Invalid integer")
    bad({"rows": "-1"}, 409, "Validation Error", "rows", "Must be a natural number")
    bad({"start": "abc"}, 409, "Validation Error", "start", "Invalid integer")
    bad({"facet.field": "notjson"}, 409, "Validation Error", "facet.field")
    bad({"offset": "20"}, 400, "Search Query Error")
    bad({"sort": "name sideways"}, 400, "Search Query Error")


@check("search-bad-syntax")
def _(s):
    for params in ({"fq": "organization:["}, {"fq": "name:(a OR"}, {"fq": "name:\"open"},
                   {"q": "{!join from=a to=b}x:y"}):
        s.error(s.get_raw("package_search", params), "package_search %s" % params, (409, 400),
                ("Search Error", "Search Query Error"))


@check("search-words-never-fail")
def _(s):
    for q in ("zzzznosuchwordzzzz", "a (b", "公路 (", "AND", "\"", "[", "+ -", "道路/桥梁", "100%"):
        r = s.search(q=q, rows=0)
        need(is_int(r["count"]), "q=%s: count is %r" % (q, r["count"]))
    equal(s.search(q="zzzznosuchwordzzzz", rows=0)["count"], 0, "count for a word nobody uses")


@check("search-title-words")
def _(s):
    title = s.dataset["title"]
    words = [w for w in re.findall(r"\w+", title) if len(w) >= 2]
    if not words:
        raise Skip("the title has no word")
    word = max(words, key=len)
    whole = s.search(q=word, rows=0)["count"]
    need(whole >= 1, "q=%s finds nothing" % word)
    r = s.search(q=word, fq="id:" + s.dataset["id"])
    equal(r["count"], 1, "q=%s with the id of the dataset that has it in its title" % word)
    equal(s.search(q="title:" + word, fq="id:" + s.dataset["id"], rows=0)["count"], 1, "q=title:%s" % word)


@check("search-fields")
def _(s):
    p = s.dataset
    mine = "+id:" + p["id"]
    terms = ["name:" + p["name"], "name:" + solr_quote(p["name"]), "id:" + solr_quote(p["id"]),
             "(name:%s)" % p["name"], "name:(zzz-none OR %s)" % p["name"], "name:zzz-none OR id:" + p["id"],
             "name:%s AND id:%s" % (p["name"], p["id"]), "+name:%s +state:active" % p["name"],
             "NOT name:zzz-none", "!name:zzz-none", "name:%s*" % p["name"][:2], "name:*"]
    if p["organization"]:
        o = p["organization"]
        terms += ["organization:" + o["name"], "+owner_org:" + solr_quote(o["id"]), "organization:" + solr_quote(o["name"])]
    if p["tags"]:
        terms.append("tags:" + solr_quote(p["tags"][0]["name"]))
    if p["groups"]:
        terms.append("+groups:" + solr_quote(p["groups"][0]["name"]))
    if p["license_id"]:
        terms.append("license_id:" + solr_quote(p["license_id"]))
    if p["resources"] and p["resources"][0]["format"]:
        terms.append("res_format:" + solr_quote(p["resources"][0]["format"]))
    for term in terms:
        for params in ({"fq": mine + " +(" + term + ")"}, {"q": term, "fq": mine}):
            if term.startswith(("NOT", "!")) and "fq" in params and "(" in params["fq"]:
                continue
            equal(s.getp("package_search", dict(params, rows=1))["count"], 1, "count with %s" % params)
    for term in ("-name:" + p["name"], "name:zzz-none", "organization:zzz-none", "tags:zzz-none",
                 "no_such_field_at_all:x", "private:true", "state:deleted"):
        equal(s.getp("package_search", {"fq": mine + " " + term, "rows": 1})["count"], 0, "count with %s" % term)
    equal(s.search(fq=mine + " -no_such_field_at_all:\"X\"", rows=0)["count"], 1, "count excluding an unknown field")


@check("search-or-binds-before-and")
def _(s):
    p = s.dataset
    if not p["organization"]:
        raise Skip("the dataset has no organization")
    name = p["organization"]["name"]
    own = s.search(fq="organization:" + name, rows=0)["count"]
    equal(s.search(fq="organization:%s OR organization:zzz-none" % name, rows=0)["count"], own, "count with OR")
    equal(s.search(fq="organization:%s OR organization:zzz-none metadata_modified:[2000-01-01T00:00:00Z TO *]" % name,
                   rows=0)["count"], own, "count with OR and a range")


@check("search-exclusion")
def _(s):
    p = s.dataset
    whole = s.search(rows=0)["count"]
    if p["organization"]:
        name = p["organization"]["name"]
        own = s.search(fq="organization:" + name, rows=0)["count"]
        equal(s.search(fq="-organization:" + name, rows=0)["count"], whole - own, "count without the organization")
    equal(s.search(fq="-name:" + p["name"], rows=0)["count"], whole - 1, "count without the dataset")


@check("search-modified-range")
def _(s):
    p = s.dataset
    at = instant(p["metadata_modified"])
    mine = "+id:" + p["id"] + " "

    def z(moment, fraction=True):
        return moment.strftime("%Y-%m-%dT%H:%M:%S" + (".%f" if fraction else "")) + "Z"
    hour = dt.timedelta(hours=1)
    for fq, wanted in (
            ("metadata_modified:[%s TO *]" % z(at - hour), 1),
            ("metadata_modified:[%s TO *]" % z(at - hour, False), 1),
            ("metadata_modified:[%s TO *]" % z(at + hour), 0),
            ("metadata_modified:[* TO %s]" % z(at + hour), 1),
            ("metadata_modified:[%s TO %s]" % (z(at - hour), z(at + hour)), 1),
            ("metadata_modified:{%s TO *}" % z(at + hour), 0),
            ("metadata_modified:[2000-01-01T00:00:00Z TO *]", 1),
            ("metadata_modified:[* TO 2000-01-01T00:00:00Z]", 0),
            ("metadata_modified:[2000-01-01T00:00:00Z TO NOW]", 1),
            ("metadata_created:[2000-01-01T00:00:00Z TO *]", 1)):
        equal(s.search(fq=mine + fq, rows=0)["count"], wanted, "count with %s" % fq)
    r = s.search(fq="metadata_modified:[2999-01-01T00:00:00Z TO *]")
    equal((r["count"], r["results"]), (0, []), "count and results of a range in the future")


@check("search-fq_list")
def _(s):
    p = s.dataset
    body = {"fq_list": ["id:" + p["id"], "state:active"], "rows": 1}
    equal(s.post("package_search", body)["count"], 1, "POST")
    equal(s.getp("package_search", body)["count"], 1, "GET, repeated")
    body["fq_list"] = ["id:" + p["id"], "name:zzz-none"]
    equal(s.post("package_search", body)["count"], 0, "POST, contradictory")


@check("search-sort")
def _(s):
    for field in ("metadata_modified", "metadata_created", "name", "id"):
        up = [p[field] for p in s.search(sort=field + " asc", rows=200)["results"]]
        down = [p[field] for p in s.search(sort=field + " desc", rows=200)["results"]]
        if "metadata" in field:  # the index may be less precise than the text
            up_, down_ = [v[:19] for v in up], [v[:19] for v in down]
        else:
            up_, down_ = up, down
        equal(up_, sorted(up_), "sort=%s asc" % field)
        equal(down_, sorted(down_, reverse=True), "sort=%s desc" % field)
    r = s.search(sort="metadata_modified desc, name asc", rows=1)
    equal(r["sort"], "metadata_modified desc, name asc", "sort given back")
    for sort in ("title_string asc", "score desc, metadata_modified desc", "rank", "views_recent desc"):
        s.search(sort=sort, rows=1)


@check("search-facets")
def _(s):
    fields = ["organization", "tags", "groups", "res_format", "license_id"]
    asked = {"facet.field": json.dumps(fields), "facet.limit": -1, "rows": 0}
    got = s.getp("package_search", asked)
    posted = s.post("package_search", {"facet.field": fields, "facet.limit": -1, "rows": 0})
    equal(posted["facets"], got["facets"], "facets by POST compared with GET")
    repeated = s.getp("package_search", {"facet.field": fields, "facet.limit": -1, "rows": 0})
    equal(repeated["facets"], got["facets"], "facets with repeated keys")
    equal(sorted(got["facets"]), sorted(fields), "facets")
    equal(sorted(got["search_facets"]), sorted(fields), "search_facets")
    for field in fields:
        plain, rich = got["facets"][field], got["search_facets"][field]
        has_keys(rich, ["title", "items"], "search_facets." + field)
        equal(rich["title"], field, "title of " + field)
        for item in rich["items"]:
            has_keys(item, ["name", "display_name", "count"], "item of " + field)
            need(is_int(item["count"]) and item["count"] >= 1, "count in %s is %r" % (field, item["count"]))
            need(isinstance(item["display_name"], str) and item["display_name"], "display_name in %s is empty" % field)
        equal({i["name"]: i["count"] for i in rich["items"]}, plain, "search_facets.%s compared with facets" % field)
    p = s.dataset
    if p["organization"]:
        name = p["organization"]["name"]
        equal(got["facets"]["organization"].get(name), s.search(fq="organization:" + solr_quote(name), rows=0)["count"],
              "facet of the organization compared with its search")
        shown = [i["display_name"] for i in got["search_facets"]["organization"]["items"] if i["name"] == name]
        equal(shown, [p["organization"]["title"]], "display_name of the organization")
    for tag in p["tags"][:3]:
        equal(got["facets"]["tags"].get(tag["name"]), s.search(fq="tags:" + solr_quote(tag["name"]), rows=0)["count"],
              "facet of tag %s compared with its search" % tag["name"])


@check("search-facet-limits")
def _(s):
    whole = s.getp("package_search", {"facet.field": '["tags"]', "facet.limit": -1, "rows": 0})["facets"]["tags"]
    one = s.getp("package_search", {"facet.field": '["tags"]', "facet.limit": 1, "rows": 0})["facets"]["tags"]
    equal(len(one), min(1, len(whole)), "number of values with facet.limit=1")
    if whole:
        equal(list(one.values())[0], max(whole.values()), "count of the most frequent")
    default = s.getp("package_search", {"facet.field": '["tags"]', "rows": 0})["facets"]["tags"]
    equal(len(default), min(50, len(whole)), "number of values without facet.limit")
    two = s.getp("package_search", {"facet.field": '["tags"]', "facet.limit": -1, "facet.mincount": 2, "rows": 0})
    equal(two["facets"]["tags"], {k: v for k, v in whole.items() if v >= 2}, "facet.mincount=2")
    off = s.getp("package_search", {"facet": "false", "facet.field": '["tags"]', "rows": 0})
    equal((off["facets"], off["search_facets"]), ({}, {}), "facets with facet=false")


@check("search-facets-follow-the-query")
def _(s):
    p = s.dataset
    r = s.getp("package_search", {"fq": "id:" + p["id"], "facet.field": '["tags"]', "facet.limit": -1})
    equal(r["facets"]["tags"], {t["name"]: 1 for t in p["tags"]}, "tag facet of one dataset")


# ================================================================ harvesters

@check("harvest-gather-all")
def _(s):
    """ckanext-harvest's gather: pages of 100 by id until a page is empty."""
    start, met, last = 0, [], None
    broken = []
    while len(met) < s.options.max_datasets:
        answer = s.get_raw("package_search", {"rows": "100", "start": str(start), "sort": "id asc"})
        need(answer.text != last, "two equal pages in a row at start=%d" % start)
        last = answer.text
        page = s.result(answer, "package_search")["results"]
        if not page:
            break
        need(start + 100 <= len(met) + 100, "a page before start=%d was not full" % start)
        for p in page:
            met.append(p["id"])
            try:
                validate_package(p)
            except AssertionError as problem:
                broken.append(str(problem))
        start += 100
    equal(len(set(met)), len(met), "number of different datasets while paging")
    equal(met, sorted(met), "the ids in order of paging compared with sorted")
    whole = s.search(rows=0)["count"]
    if whole <= s.options.max_datasets:
        equal(len(met), whole, "datasets met while paging compared with count")
        need(s.dataset["id"] in met, "the dataset was not met")
    need(not broken, "%d of %d datasets would be refused, first: %s" % (len(broken), len(met), broken[0] if broken else ""))


@check("harvest-gather-since")
def _(s):
    """The incremental gather: an hour before the last job, microseconds and a Z."""
    at = instant(s.dataset["metadata_modified"])
    for organization in ("", s.dataset["organization"]["name"] if s.dataset["organization"] else None):
        if organization is None:
            continue
        since = at.isoformat(timespec="microseconds")
        terms = (["organization:" + organization] if organization else []) + ["metadata_modified:[%sZ TO *]"
                 % (at - dt.timedelta(hours=1)).isoformat(timespec="microseconds")]
        met, start = [], 0
        while len(met) < s.options.max_datasets:
            page = s.search(rows="100", start=str(start), sort="id asc", fq=" ".join(terms))["results"]
            if not page:
                break
            met += page
            start += 100
        if len(met) < s.options.max_datasets:
            need(s.dataset["id"] in [p["id"] for p in met], "a change at %s is not met with %s" % (since, terms))
        old = [p["name"] for p in met if instant(p["metadata_modified"]) < at - dt.timedelta(hours=1, seconds=1)]
        need(not old, "datasets older than the bound: %s" % short(old))
    later = utc_now() + dt.timedelta(hours=2)
    r = s.search(rows="100", start="0", sort="id asc", fq="metadata_modified:[%sZ TO *]" % later.isoformat(timespec="microseconds"))
    equal(r["results"], [], "results of a gather in the future")


@check("harvest-import-lookups")
def _(s):
    """With remote_orgs/remote_groups=create the importer fetches owners and groups by id."""
    p = s.search(fq="id:" + s.dataset["id"], rows=1)["results"][0]
    if p["owner_org"]:
        o = s.get("organization_show", id=p["owner_org"])
        for key in ("packages", "created", "users", "groups", "tags", "extras", "display_name", "type"):
            o.pop(key, None)
        has_keys(o, ["id", "name", "title"], "organization to create")
    for group in p["groups"]:
        g = s.get("group_show", id=group["id"])
        equal(g["name"], group["name"], "group name")
    if not p["owner_org"] and not p["groups"]:
        raise Skip("neither organization nor groups")


@check("harvest-modified-format-is-one")
def _(s):
    lengths = {len(p["metadata_modified"]) for p in s.search(rows=200, sort="id asc")["results"]}
    need(len(lengths) == 1, "metadata_modified comes in the lengths %s: text order is not time order" % sorted(lengths))


@check("harvest-udata")
def _(s):
    p = s.dataset
    need(p["name"] in s.get("package_list"), "not in package_list")
    terms = ["dataset_type:dataset"]
    if p["organization"]:
        terms = ["organization:" + p["organization"]["name"]]
    tag = [t["name"] for t in p["tags"] if re.match(r"\w+\Z", t["name"])]
    if tag:
        terms.append("tags:" + tag[0])
    terms.append("-tags:zzz-none")
    r = s.search(q=" AND ".join(terms), rows=1000)
    need(p["name"] in [x["name"] for x in r["results"]] or r["count"] > 1000, "q=%s does not find the dataset" % " AND ".join(terms))
    page = s.send("GET", "%s/dataset/%s" % (s.base, p["name"]), allow_redirects=True)
    need(page.status_code == 200, "/dataset/%s: HTTP %d" % (p["name"], page.status_code))


@check("harvest-magda")
def _(s):
    got, start = [], 0
    while True:
        r = s.search(sort="metadata_created asc", start=start, rows=1000, fq='-harvest_source_title:"zzz none"')
        got += ids(r)
        start += 1000
        if start >= r["count"] or start >= s.options.max_datasets:
            break
    equal(len(set(got)), len(got), "number of different datasets")
    if r["count"] <= s.options.max_datasets:
        equal(len(got), s.search(rows=0)["count"], "datasets met")


@check("closed-dataset")
def _(s):
    if not s.options.closed:
        raise Skip("no --closed given")
    s.error(s.get_raw("package_show", {"id": s.options.closed}), "package_show", (403, 404),
            ("Authorization Error", "Not Found Error"))
    need(s.options.closed not in s.get("package_list"), "listed in package_list")
    r = s.search(fq="name:%s OR id:%s" % (s.options.closed, s.options.closed), rows=0)
    equal(r["count"], 0, "count in package_search")


# ================================================================ ckanapi

@check("ckanapi-post")
def _(s):
    with ckanapi.RemoteCKAN(s.base, user_agent="ckan-contract-check/1", apikey="not-a-key-of-yours") as ckan:
        equal(ckan.action.package_show(id=s.dataset_ref), s.dataset, "package_show")
        need(s.dataset["name"] in ckan.action.package_list(), "package_list lacks the dataset")
        r = ckan.action.package_search(**{"fq": "id:" + s.dataset["id"], "facet.field": ["tags"], "rows": 1})
        equal(r["count"], 1, "package_search")
        d = ckan.action.datastore_search(resource_id=s.resource_ref, limit=0)
        equal(d["fields"], s.sample["fields"], "fields with limit=0")
        equal(d["records"], [], "records with limit=0")


@check("ckanapi-get")
def _(s):
    with ckanapi.RemoteCKAN(s.base, get_only=True) as ckan:
        equal(ckan.call_action("package_show", {"id": s.dataset_ref}), s.dataset, "package_show")
        equal(ckan.call_action("datastore_search", {"resource_id": s.resource_ref, "limit": 3})["records"],
              s.sample["records"][:3], "datastore_search")


@check("ckanapi-errors")
def _(s):
    with ckanapi.RemoteCKAN(s.base) as ckan:
        def raises(kind, action, **parameters):
            try:
                ckan.call_action(action, parameters)
            except kind as problem:
                return problem
            except Exception as problem:
                raise AssertionError("%s raised %s, expected %s" % (action, type(problem).__name__, kind.__name__))
            raise AssertionError("%s raised nothing, expected %s" % (action, kind.__name__))
        raises(ckanapi.NotFound, "package_show", id=NOWHERE)
        raises(ckanapi.NotFound, "datastore_search", resource_id=NOWHERE)
        problem = raises(ckanapi.ValidationError, "package_show")
        need("name_or_id" in problem.error_dict, "ValidationError says %s" % short(problem.error_dict))
        raises(ckanapi.ValidationError, "datastore_search", resource_id=s.resource_ref, limit=-1)
        raises(ckanapi.errors.SearchQueryError, "package_search", no_such_parameter="1")
        raises(ckanapi.errors.CKANAPIError, "no_such_action_here")


@check("ckanapi-search-all")
def _(s):
    with ckanapi.RemoteCKAN(s.base) as ckan:
        got, start = [], 0
        while len(got) < s.options.max_datasets:
            page = ckan.call_action("package_search", {"start": start, "rows": 1000, "sort": "id asc"})["results"]
            if not page:
                break
            got += [p["id"] for p in page]
            start += len(page)
        equal(len(set(got)), len(got), "number of different datasets")


# ================================================================ DataStore

@check("datastore-shape")
def _(s):
    r = s.sample
    has_keys(r, ["fields", "records", "limit", "total"], "result")
    equal(r["limit"], 100, "limit")
    equal(len(r["records"]), 100, "number of records (the resource must have 100 rows)")
    need(is_int(r["total"]) and r["total"] >= 100, "total is %r" % r["total"])
    for f in r["fields"]:
        need(isinstance(f.get("id"), str) and f["id"] and isinstance(f.get("type"), str) and f["type"],
             "a field without id or type: %s" % short(f))
        need("info" not in f or isinstance(f["info"], dict), "info of %s is no object" % f["id"])
    names = [f["id"] for f in r["fields"]]
    equal(names[0], "_id", "the first field")
    equal(r["fields"][0]["type"], "int", "type of _id")
    equal(len(set(names)), len(names), "number of different fields")
    need(len(names) >= 2, "no column but _id")
    for n, record in enumerate(r["records"]):
        equal(list(record), names, "keys of record %d, in order" % n)
        need(is_int(record["_id"]), "_id of record %d is %r" % (n, record["_id"]))
    found = [x["_id"] for x in r["records"]]
    equal(found, sorted(set(found)), "the _ids compared with sorted and unique")


@check("datastore-echo")
def _(s):
    r = s.rows(limit=1, offset=2)
    equal(r.get("resource_id"), s.resource_ref, "resource_id")
    equal(r.get("records_format"), "objects", "records_format")
    equal(r.get("include_total"), True, "include_total")
    equal(r.get("offset"), 2, "offset")
    equal(r.get("limit"), 1, "limit")


@check("datastore-default-limit")
def _(s):
    r = s.rows()
    equal((r["limit"], len(r["records"])), (100, 100), "limit and number of records without limit")


@check("datastore-get-equals-post")
def _(s):
    equal(s.post("datastore_search", {"resource_id": s.resource_ref, "limit": 100})["records"], s.sample["records"], "records")
    equal(s.post("datastore_search", {"id": s.resource_ref, "limit": "100"})["records"], s.sample["records"], "records with id= and text limit")


@check("datastore-limit-zero")
def _(s):
    r = s.rows(limit=0)
    equal((r["records"], r["limit"]), ([], 0), "records and limit")
    equal(r["fields"], s.sample["fields"], "fields")
    equal(r["total"], s.total, "total")


@check("datastore-limit-cap")
def _(s):
    r = s.rows(limit=10 ** 6, fields="_id", include_total="false")
    need(is_int(r["limit"]) and 100 <= r["limit"] <= 32000, "limit given back is %r, expected at most 32000" % r["limit"])
    equal(len(r["records"]), min(r["limit"], s.total), "number of records")


@check("datastore-offset")
def _(s):
    equal(s.rows(limit=10, offset=50)["records"], s.sample["records"][50:60], "ten records at 50")
    behind = s.rows(limit=10, offset=s.total + 1000)
    equal((behind["records"], behind["total"]), ([], s.total), "records and total behind the end")
    last = s.rows(limit=10, offset=s.total - 1)
    equal(len(last["records"]), 1, "number of records at the last row")


@check("datastore-include_total")
def _(s):
    need("total" not in s.rows(limit=1, include_total="false"), "total in spite of include_total=false")
    need("total" not in s.post("datastore_search", {"resource_id": s.resource_ref, "limit": 1, "include_total": False}),
         "total in spite of include_total false in JSON")


@check("datastore-links")
def _(s):
    r = s.rows(limit=10)
    has_keys(r, ["_links"], "result")
    has_keys(r["_links"], ["start", "next"], "_links")
    following = urljoin(s.base + "/", r["_links"]["next"])
    equal(urlsplit(following).netloc, urlsplit(s.base).netloc, "host of _links.next")
    q = parse_qs(urlsplit(following).query)
    need("resource_id" in q or "id" in q, "_links.next forgets the resource: %s" % following)
    page = s.result(s.send("GET", following), "datastore_search")
    equal(page["records"], s.sample["records"][10:20], "records of _links.next")
    first = s.result(s.send("GET", urljoin(s.base + "/", page["_links"]["start"])), "datastore_search")
    equal(first["records"], s.sample["records"][:10], "records of _links.start")


@check("datastore-links-keep-parameters")
def _(s):
    column = s.best_column
    asked = {"limit": 5, "fields": "_id," + column if "," not in column else json.dumps(["_id", column]), "sort": "_id desc",
             "filters": json.dumps({column: s.values(column)})}
    if "," in column:
        asked.pop("fields")
    r = s.rows(**asked)
    following = s.result(s.send("GET", urljoin(s.base + "/", r["_links"]["next"])), "datastore_search")
    equal(following["fields"], r["fields"], "fields of the second page")
    together = s.rows(**dict(asked, limit=10))["records"]
    equal(r["records"] + following["records"], together, "two pages compared with one")


@check("datastore-read-all-by-links")
def _(s):
    """Every row exactly once over _links.next."""
    size = min(32000, max(10, -(-s.total // 7), s.total // 200))
    url = s.send("GET", s.url("datastore_search"), params={"resource_id": s.resource_ref, "limit": size})
    seen, pages, visited = [], 0, set()
    r = s.result(url, "datastore_search")
    while r["records"]:
        need(len(r["records"]) <= r["limit"], "more records than limit")
        seen += [x["_id"] for x in r["records"]]
        pages += 1
        if len(seen) >= s.options.max_rows:
            break
        link = r["_links"].get("next")
        if not link:
            break
        need(link not in visited, "_links.next came back: %s" % link)
        visited.add(link)
        r = s.result(s.send("GET", urljoin(s.base + "/", link)), "datastore_search")
    equal(len(set(seen)), len(seen), "number of different _ids in %d pages" % pages)
    equal(seen, sorted(seen), "the _ids in reading order compared with sorted")
    if s.total <= s.options.max_rows:
        equal(len(seen), s.total, "rows read in %d pages compared with total" % pages)


@check("datastore-fields")
def _(s):
    some = s.columns[:3][::-1]
    if any("," in c for c in some):
        raise Skip("column names with commas")
    r = s.rows(limit=5, fields=",".join(some))
    equal([f["id"] for f in r["fields"]], some, "fields")
    wanted = [{c: x[c] for c in some} for x in s.sample["records"][:5]]
    equal(r["records"], wanted, "records")
    equal(list(r["records"][0]), some, "order of keys")
    equal(s.rows(limit=5, fields=", ".join(some))["records"], wanted, "records with blanks after commas")
    posted = s.post("datastore_search", {"resource_id": s.resource_ref, "limit": 5, "fields": some})
    equal(posted["records"], wanted, "records by POST with a list")
    equal(s.getp("datastore_search", {"resource_id": s.resource_ref, "limit": 5, "fields": some})["records"] if len(some) > 1 else wanted,
          wanted, "records with repeated keys")
    equal([list(x) for x in s.rows(limit=2, fields="_id")["records"]], [["_id"]] * 2, "records with fields=_id")


@check("datastore-sort-id")
def _(s):
    down = s.rows(limit=100, sort="_id desc")["records"]
    got = [x["_id"] for x in down]
    equal(got, sorted(got, reverse=True), "_ids with sort=_id desc")
    up = s.rows(limit=100, sort="_id asc")["records"]
    equal(up, s.sample["records"], "records with sort=_id asc")
    equal(down[0], s.rows(limit=1, offset=s.total - 1)["records"][0], "the last row")


@check("datastore-sort-columns")
def _(s):
    tried = 0
    for column in s.columns:
        values = [r[column] for r in s.sample["records"]]
        if not all(v is None or isinstance(v, str) or is_number(v) for v in values) or "," in column or '"' in column:
            continue
        name = column if re.match(r"\w+\Z", column) else '"%s"' % column
        for sort in (name, name + " asc", name + " desc"):
            got = [r[column] for r in s.rows(limit=200, sort=sort + ", _id", include_total="false")["records"]]
            real = [v for v in got if v is not None]
            if real and all(is_number(v) for v in real):
                equal(real, sorted(real, reverse=sort.endswith("desc")), "values with sort=%s" % sort)
            else:  # any collation keeps equal values together
                runs = [v for n, v in enumerate(real) if n == 0 or real[n - 1] != v]
                equal(len(runs), len(set(runs)), "number of runs of equal values with sort=%s" % sort)
        tried += 1
        if tried == 4:
            break
    if not tried:
        raise Skip("no column of simple values")
    column = s.best_column
    name = column if re.match(r"\w+\Z", column) else '"%s"' % column
    one = s.post("datastore_search", {"resource_id": s.resource_ref, "limit": 20, "sort": [name + " desc", "_id"]})["records"]
    two = s.rows(limit=20, sort="%s desc, _id asc" % name)["records"]
    equal(one, two, "records with a list compared with text")


@check("datastore-filter-equal")
def _(s):
    column = s.best_column
    value = s.values(column)[0]
    r = s.rows(filters=json.dumps({column: value}), limit=1000)
    need(r["total"] >= 1 and r["records"], "nothing with %s=%r" % (column, value))
    wrong = [x[column] for x in r["records"] if x[column] != value]
    need(not wrong, "%s=%r also gives %s" % (column, value, short(wrong)))
    mine = [x for x in s.sample["records"] if x[column] == value]
    equal([x for x in r["records"] if x["_id"] <= s.sample["records"][-1]["_id"]], mine, "the matching rows of the first 100")
    posted = s.post("datastore_search", {"resource_id": s.resource_ref, "filters": {column: value}, "limit": 1000})
    equal(posted["records"], r["records"], "records by POST with an object")
    need(r["total"] <= s.total, "total grew")
    if len(r["records"]) < 1000 and not r.get("total_was_estimated"):
        equal(r["total"], len(r["records"]), "total compared with the records")
    if isinstance(value, int):
        equal(s.rows(filters=json.dumps({column: str(value)}), limit=1000)["records"], r["records"], "number given as text")


@check("datastore-filter-list")
def _(s):
    column = s.best_column
    values = s.values(column)[:2]
    r = s.rows(filters=json.dumps({column: values}), limit=1000)
    need(all(x[column] in values for x in r["records"]), "other values than %s" % values)
    each = [s.rows(filters=json.dumps({column: v}), limit=0) for v in values]
    if not any(e.get("total_was_estimated") for e in each + [r]):
        equal(r["total"], sum(e["total"] for e in each), "total of a list compared with the sum of its values")
    equal(s.rows(filters=json.dumps({column: []}), limit=5)["records"], [], "records with an empty list")


@check("datastore-filter-and")
def _(s):
    row = s.sample["records"][42]
    simple = {c: row[c] for c in s.columns
              if isinstance(row[c], (str, int)) and not isinstance(row[c], bool) and row[c] != ""
              and s.types[c] in ("text", "int", "int4", "int8", "varchar", "numeric")}
    simple = dict(list(simple.items())[:4])
    if not simple:
        raise Skip("row 42 has no simple value")
    r = s.rows(filters=json.dumps(simple), limit=1000)
    need(row in r["records"] or len(r["records"]) == 1000, "filters of a row do not find the row")
    need(all(x[c] == v for x in r["records"] for c, v in simple.items()), "rows that do not match")
    equal(s.rows(filters=json.dumps({"_id": row["_id"]}))["records"], [row], "records with the _id as filter")
    equal(s.rows(filters=json.dumps(dict(simple, _id=row["_id"])))["records"], [row], "records with _id and values")


@check("datastore-filter-none")
def _(s):
    text = [c for c in s.columns if s.types[c] == "text"]
    if not text:
        raise Skip("no text column")
    r = s.rows(filters=json.dumps({text[0]: "zzz no such value zzz"}))
    equal((r["records"], r["total"]), ([], 0), "records and total")
    equal(r["fields"], s.sample["fields"], "fields")
    injection = s.rows(filters=json.dumps({text[0]: "' OR 1=1 --"}))
    equal(injection["total"], 0, "total with a quote in the value")
    equal(s.rows(filters="{}", limit=1)["total"], s.total, "total with no filters")


@check("datastore-errors")
def _(s):
    def bad(params, key, text=None):
        params = dict({"resource_id": s.resource_ref}, **params)
        s.error(s.get_raw("datastore_search", params), "datastore_search %s" % params, 409, "Validation Error", key, text)
    bad({"limit": "abc"}, "limit", "Invalid integer")
    bad({"limit": "-1"}, "limit", "Must be a natural number")
    bad({"offset": "abc"}, "offset")
    bad({"offset": "-1"}, "offset")
    bad({"filters": "not json"}, "filters", "Cannot parse JSON")
    bad({"filters": json.dumps({"no such column": "x"})}, "filters", "no such column")
    bad({"fields": "no_such_column"}, "fields", "no_such_column")
    bad({"sort": "no_such_column asc"}, "sort", "no_such_column")
    bad({"sort": "_id sideways"}, "sort")
    bad({"records_format": "yaml"}, "records_format", "objects")
    bad({"q": json.dumps({"no such column": "x"})}, "q")
    s.error(s.get_raw("datastore_search"), "datastore_search", 409, "Validation Error", "resource_id", "Missing value")
    s.error(s.get_raw("datastore_search", {"resource_id": NOWHERE}), "datastore_search", 404, "Not Found Error", text=NOWHERE)


@check("datastore-distinct")
def _(s):
    counts = {}
    for c in s.columns:  # the column with the most repetitions shows most
        values = [r[c] for r in s.sample["records"]]
        if "," not in c and all(v is None or isinstance(v, (str, int, float)) for v in values):
            counts[c] = len(set(values))
    if not counts:
        raise Skip("no column of simple values")
    column = min(counts, key=counts.get)
    got = [r[column] for r in s.rows(fields=column, distinct="true", limit=1000)["records"]]
    equal(len(set(got)), len(got), "number of different values")
    if len(got) < 1000:
        need(set(s.values(column)) <= set(got), "values missing: %s" % short(set(s.values(column)) - set(got)))


@check("datastore-q")
def _(s):
    for column in s.columns:
        if s.types[column] != "text":
            continue
        for row in s.sample["records"]:
            word = row[column]
            if isinstance(word, str) and re.match(r"\w{2,40}\Z", word) and "_" not in word \
                    and not (word.isascii() and word.isalpha() and len(word) < 4):
                break
        else:
            continue
        r = s.rows(q=word, limit=1000)
        need(r["total"] >= 1, "q=%s finds nothing, though row %d has it in %s" % (word, row["_id"], column))
        need(row["_id"] in [x["_id"] for x in r["records"]] or len(r["records"]) == 1000, "q=%s does not find row %d" % (word, row["_id"]))
        by_column = s.rows(q=json.dumps({column: word}), limit=1000)
        need(row["_id"] in [x["_id"] for x in by_column["records"]] or len(by_column["records"]) == 1000,
             "q={%s: %s} does not find row %d" % (column, word, row["_id"]))
        posted = s.post("datastore_search", {"resource_id": s.resource_ref, "q": {column: word}, "limit": 1000})
        equal(posted["total"], by_column["total"], "total by POST with an object")
        equal(s.rows(q="zzzznosuchwordzzzz")["total"], 0, "total for a word nobody uses")
        for odd in ("a & (b", "'", "100%", "* OR *", "\""):
            s.rows(q=odd, limit=1)
        return
    raise Skip("no text value that is one word")


@check("datastore-formats")
def _(s):
    names = [f["id"] for f in s.sample["fields"]]
    lists = s.rows(limit=100, records_format="lists")
    equal(lists["records_format"], "lists", "records_format given back")
    equal(lists["records"], [[r[n] for n in names] for r in s.sample["records"]], "lists compared with objects")
    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        r = s.rows(limit=100, records_format=form)
        need(isinstance(r["records"], str), "%s records are not one string" % form)
        equal(r["fields"], s.sample["fields"], "fields with " + form)
        compare_text_rows(s, list(csv.reader(io.StringIO(r["records"], newline=""), delimiter=delimiter)), names,
                          s.sample["records"], form)
    equal(s.rows(limit=0, records_format="csv")["records"], "", "csv with limit=0")


def compare_text_rows(s, rows, names, records, what):
    equal(len(rows), len(records), "number of %s rows" % what)
    for n, (cells, record) in enumerate(zip(rows, records)):
        equal(len(cells), len(names), "number of cells in %s row %d" % (what, n))
        for name, cell in zip(names, cells):
            value = record[name]
            if value is None:
                equal(cell, "", "%s row %d, %s (null)" % (what, n, name))
            elif isinstance(value, str) and s.types[name] == "text":
                equal(cell.replace("\r\n", "\n"), value.replace("\r\n", "\n"), "%s row %d, %s" % (what, n, name))
            elif is_int(value):
                equal(cell, str(value), "%s row %d, %s" % (what, n, name))
            elif isinstance(value, float):
                need(abs(float(cell) - value) <= 1e-9 * max(1, abs(value)), "%s row %d, %s is %r, expected %r" % (what, n, name, cell, value))


@check("datastore-next_page")
def _(s):
    """Keyset paging of CKAN 2.12, where offered."""
    r = s.getp("datastore_search", {"resource_id": s.resource_ref, "limit": 10, "include_next_page": "true"})
    if "next_page" not in r:
        raise Skip("next_page is not offered")
    page = s.rows(limit=10, filters=json.dumps(r["next_page"]))
    equal(page["records"], s.sample["records"][10:20], "records after next_page")


# ================================================================ dump

def dumped(s, form, kind, extension, **params):
    answer = s.dump(format=form, **params) if form else s.dump(**params)
    need(answer.status_code == 200, "HTTP %d: %s" % (answer.status_code, short(answer.text)))
    got = answer.headers.get("Content-Type", "").lower().replace(" ", "")
    equal(got, kind + ";charset=utf-8", "Content-Type")
    disposition = answer.headers.get("Content-Disposition", "")
    need(disposition.startswith("attachment") and extension in disposition, "Content-Disposition is %r" % disposition)
    return answer.content


def table(content, delimiter=","):
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), delimiter=delimiter))


@check("dump-csv")
def _(s):
    names = [f["id"] for f in s.sample["fields"]]
    for form in ("csv", None):
        rows = table(dumped(s, form, "text/csv", s.resource_ref + ".csv", limit=100))
        equal(rows[0], names, "header")
        compare_text_rows(s, rows[1:], names, s.sample["records"], "dump")


@check("dump-csv-whole")
def _(s):
    if s.total > s.options.max_rows:
        raise Skip("more than --max-rows rows")
    rows = table(dumped(s, "csv", "text/csv", ".csv", fields="_id"))
    equal(rows[0], ["_id"], "header")
    got = [int(r[0]) for r in rows[1:]]
    equal(len(got), s.total, "number of rows compared with total")
    equal(got, sorted(set(got)), "the _ids compared with sorted and unique")


@check("dump-tsv")
def _(s):
    names = [f["id"] for f in s.sample["fields"]]
    rows = table(dumped(s, "tsv", "text/tab-separated-values", s.resource_ref + ".tsv", limit=100), "\t")
    equal(rows[0], names, "header")
    compare_text_rows(s, rows[1:], names, s.sample["records"], "dump")


@check("dump-json")
def _(s):
    names = [f["id"] for f in s.sample["fields"]]
    content = json.loads(dumped(s, "json", "application/json", s.resource_ref + ".json", limit=100).decode("utf-8"))
    has_keys(content, ["fields", "records"], "dump")
    equal(content["fields"], s.sample["fields"], "fields")
    equal(content["records"], [[r[n] for n in names] for r in s.sample["records"]], "records as lists")
    none = json.loads(dumped(s, "json", "application/json", ".json", limit=5, offset=s.total + 10).decode("utf-8"))
    equal(none["records"], [], "records behind the end")


@check("dump-xml")
def _(s):
    content = dumped(s, "xml", "text/xml", s.resource_ref + ".xml", limit=20)
    root = ET.fromstring(content)
    equal(root.tag, "data", "root element")
    rows = root.findall("row")
    equal([int(r.get("_id")) for r in rows], [x["_id"] for x in s.sample["records"][:20]], "the _ids")
    for r in rows:
        equal(len(list(r)), len(s.columns), "number of elements in a row")


@check("dump-bom")
def _(s):
    for form, kind in (("csv", "text/csv"), ("tsv", "text/tab-separated-values"), ("json", "application/json")):
        plain = dumped(s, form, kind, "." + form, limit=3)
        marked = dumped(s, form, kind, "." + form, limit=3, bom="true")
        need(not plain.startswith(b"\xef\xbb\xbf"), "%s has a mark without bom" % form)
        equal(marked, b"\xef\xbb\xbf" + plain, "%s with bom=true" % form)


@check("dump-parameters")
def _(s):
    names = [f["id"] for f in s.sample["fields"]]
    rows = table(dumped(s, "csv", "text/csv", ".csv", limit=10, offset=50))
    compare_text_rows(s, rows[1:], names, s.sample["records"][50:60], "offset 50")
    rows = table(dumped(s, "csv", "text/csv", ".csv", limit=0))
    need(rows in ([names], []), "limit=0 gives %s, expected the header or nothing" % short(rows))
    rows = table(dumped(s, "csv", "text/csv", ".csv", limit=5, sort="_id desc", fields="_id"))
    equal([int(r[0]) for r in rows[1:]], [x["_id"] for x in s.rows(limit=5, sort="_id desc")["records"]], "sort=_id desc")
    column = s.best_column
    if "," not in column:
        rows = table(dumped(s, "csv", "text/csv", ".csv", limit=5, fields="_id," + column))
        equal(rows[0], ["_id", column], "header with fields")
    found = s.rows(limit=50, filters=json.dumps({column: s.values(column)[0]}))
    content = json.loads(dumped(s, "json", "application/json", ".json", limit=50,
                                filters=json.dumps({column: s.values(column)[0]})).decode("utf-8"))
    equal([r[0] for r in content["records"]], [x["_id"] for x in found["records"]], "filters")


@check("dump-errors")
def _(s):
    equal(s.dump(resource=NOWHERE).status_code, 404, "HTTP status for an unknown resource")
    equal(s.dump(format="yaml").status_code, 400, "HTTP status for an unknown format")
    equal(s.dump(limit="abc").status_code, 400, "HTTP status for limit=abc")


@check("resource-url-answers")
def _(s):
    url = s.get("resource_show", id=s.resource_ref)["url"]
    answer = s.send("GET", url, stream=True, allow_redirects=True)
    need(answer.status_code == 200, "%s: HTTP %d" % (url, answer.status_code))
    need(next(answer.iter_content(1024), b""), "%s: empty" % url)
    answer.close()


# ================================================================ main

def main():
    parser = argparse.ArgumentParser(description="Contract test of a read-only CKAN Action API v3")
    parser.add_argument("base")
    parser.add_argument("dataset")
    parser.add_argument("resource")
    parser.add_argument("--closed", help="id or name of a dataset an anonymous reader must not see")
    parser.add_argument("--max-rows", type=int, default=300000, help="read at most this many rows (default 300000)")
    parser.add_argument("--max-datasets", type=int, default=5000, help="page through at most this many datasets (default 5000)")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--only", help="regular expression of check names")
    parser.add_argument("--trace", action="store_true", help="tracebacks of failures")
    options = parser.parse_args()
    remote = Remote(options.base, options.dataset, options.resource, options)
    failed = done = 0
    for name, function in CHECKS:
        if options.only and not re.search(options.only, name):
            continue
        done += 1
        try:
            function(remote)
            print("ok %s" % name, flush=True)
        except Skip as why:
            print("ok %s (skipped: %s)" % (name, why), flush=True)
        except Exception as problem:
            failed += 1
            why = str(problem) if isinstance(problem, AssertionError) else "%s: %s" % (type(problem).__name__, problem)
            print("FAIL %s: %s" % (name, " ".join(why.split())), flush=True)
            if options.trace:
                traceback.print_exc()
    print("%d checks, %d failed" % (done, failed), file=sys.stderr)
    return 1 if failed or not done else 0


if __name__ == "__main__":
    sys.exit(main())
