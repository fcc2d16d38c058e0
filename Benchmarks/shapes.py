#!/usr/bin/env python3
"""What a million points cost: loading them with their spatial index, pages by box, by key and far down, and vector tiles. CPU seconds are the node's.

usage: shapes.py BINARY

Places are drawn over northern China; a box of 0.1 % of the rows, one of 25 %. Pages are GeoJSON of 100 features from /ogc, in the order of keys. Needs wrk.
A second million lies closer together: its tiles of zoom 9 have 10,000 points. No tile is asked for twice. Tiles of the next zoom come first, until the columns are held in memory that the others are drawn from.
TONGQU_PACKS: the packs of the demonstration (Tests/Fixtures/packs beside this folder).
"""
import json, os, random, re, subprocess, sys, tempfile, time, urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from postgres import Node, TICK

ROWS = 1_000_000


class Spent:
    def __init__(self, node):
        self.node, self.before, self.started = node, node.cpu(), time.time()

    def say(self, label, count, unit, note=""):
        spent = max(self.node.cpu() - self.before, 1 / TICK)
        print(f"{label:<46} {spent:8.2f} {count / spent:>12,.0f} {unit}/CPU-s {time.time() - self.started:7.1f} s  {note}".rstrip(), flush=True)


def load(node, folder, name, west, width, south, height):
    path = os.path.join(folder, name + ".csv")
    with open(path, "w") as out:
        out.write("id,name,kind,place\n")
        for number in range(1, ROWS + 1):
            out.write(f"{number},测点{number},{'ABCD'[number % 4]},{west + random.random() * width:.6f} {south + random.random() * height:.6f}\n")
    fields = [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}, {"name": "kind", "type": "string"}, {"name": "place", "type": "geopoint"}]
    provider = next(o["id"] for o in node.json("GET", "/api/v1/organisations")["organisations"] if "公路" in o["name"])
    content = {"name": "测点" + name, "category": "301001", "provider": provider, "summary": "基准测试所用的虚构测点,一百万行。", "schema": {"fields": fields, "primaryKey": ["id"]}, "items": [{"sharing": 1}] * 4}
    identifier = node.json("POST", "/api/v1/resources", content)["id"]
    with open(path, "rb") as file: sent = node.json("POST", "/api/v1/uploads?name=places.csv&no_secrets=true", file)["upload"]
    os.remove(path)
    spent = Spent(node)
    job = node.json("POST", f"/api/v1/resources/{identifier}/loads", {"upload": sent, "mode": "replace"})["job"]
    while (state := node.json("GET", f"/api/v1/jobs/{job}"))["state"] not in ("done", "failed"): time.sleep(0.25)
    assert state["state"] == "done" and state["result"]["good"] == ROWS, state
    spent.say("load with the spatial index", ROWS, "rows")
    return identifier


def warm(node, identifier):
    spent = Spent(node)
    for number in range(80):
        status, data = node.ask("GET", f"/api/v1/resources/{identifier}/tiles/10/{831 + number % 10}/{385 + number // 10}.mvt?fields=kind,name&filter={urllib.parse.quote('id > 0')}", headers=node.session)
        assert status == 200, (status, data[:300])
    spent.say("tile of zoom 10, while columns are read", 80, "tiles")


def tiles(node, identifier, zoom, column, row, points, beside):
    # Tiles are kept: each of these is another one, or asks for another condition that every row meets.
    wanted = [(column + number % beside, row + number // beside) for number in range(beside * 5)]
    for label, query in [("", "?fields=kind"), (", by a filter", "?fields=kind&filter="), (", without attributes", ""), (", with two", "?fields=kind,name")]:
        spent, size = Spent(node), 0
        for number, (x, y) in enumerate(wanted):
            query_here = query + urllib.parse.quote(f"id > -{number + 1}") if query.endswith("=") else query
            status, data = node.ask("GET", f"/api/v1/resources/{identifier}/tiles/{zoom}/{x}/{y}.mvt{query_here}", headers=node.session)
            assert status == 200 and len(data) > 10_000, (status, data[:300])
            size += len(data)
        spent.say(f"vector tile of {points:,} points{label}", len(wanted), "tiles", f"{size // len(wanted):,} bytes")


def main(binary):
    random.seed(20261121)
    with tempfile.TemporaryDirectory() as folder:
        node = Node(binary, os.path.join(folder, "node"), "sqlite")
        try:
            node.sign_in("clerk")
            identifier = load(node, folder, "甲", 110, 10, 35, 8)
            items = f"/ogc/collections/{identifier}/items"
            far = f"{items}?limit=100"
            cursor = bytes(json.dumps([500_000]), "ascii").hex()
            asked = [
                ("page of 100 by a box of 0.1 %", f"{items}?limit=100&bbox=115,39,115.1,39.8", 100),
                ("page of 100 by a box of 25 %", f"{items}?limit=100&bbox=112,36,117,40", 100),
                ("first page of 100", far, 100), ("page of 100 at row 500,000", far + "&cursor=" + cursor, 100),
                ("one feature by key", f"{items}/777777", 1),
                ("page of 100 by an indexed box and CQL2", f"{items}?limit=100&" + urllib.parse.urlencode({"filter": "S_WITHIN(place, POLYGON((115 39,115.3 39,115.3 39.8,115 39.8,115 39))) AND kind = 'A'"}), 100),
            ]
            for label, address, rows in asked:
                found = node.json("GET", address)
                assert rows == 1 or len(found["features"]) == rows, (label, str(found)[:300])
                wrk = lambda seconds: subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-H", f"Cookie: {node.session['cookie']}", f"http://127.0.0.1:{node.port}{address}"], capture_output=True, text=True, check=True).stdout
                wrk(1)
                spent = Spent(node)
                output = wrk(6)
                errors = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", output)
                assert not errors, errors.group(0)
                spent.say(label, int(re.search(r"(\d+) requests in", output).group(1)), "requests", re.search(r"99%\s+(\S+)", output).group(1) + " p99")
            warm(node, identifier)
            tiles(node, identifier, 9, 415, 192, 4_700, 8)
            tiles(node, identifier, 8, 207, 96, 19_000, 5)
            identifier = load(node, folder, "乙", 111.5, 6.25, 36, 6)
            warm(node, identifier)
            tiles(node, identifier, 9, 415, 192, 10_000, 8)
        finally:
            node.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
