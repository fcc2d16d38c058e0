#!/usr/bin/env python3
"""What following another catalogue costs: harvest.py BINARY [ENTRIES]

A catalogue of 35,000 synthetic entries (catalogue_server.py) is read as CKAN gives it, a thousand a page: first all new and published at once, then unchanged. CPU seconds are the node's.
"""
import json, os, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from postgres import Node  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def main(binary, entries="35000"):
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([sys.executable, os.path.join(HERE, "catalogue_server.py"), "--port", "0", "--entries", entries, "--size", "1000"], stdout=subprocess.PIPE, text=True)
        node = Node(binary, os.path.join(folder, "node"), "sqlite")
        try:
            address = server.stdout.readline().split()[-1]
            node.sign_in("authority")
            for organisation in node.json("GET", "/api/v1/organisations")["organisations"]:
                asked = {"name": "基准", "kind": "ckan", "address": address + "/api/3/action/package_search?rows=1000", "provider": organisation["id"], "category": "301099", "publishes": True}
                status, made = node.ask("POST", "/api/v1/harvests", json.dumps(asked), node.session)
                # The reviewer publishes for some of the organisations only.
                if status == 201: break
            made = json.loads(made)
            for label in ("new, published", "unchanged"):
                before, started = node.cpu(), time.time()
                job = node.json("POST", f"/api/v1/harvests/{made['id']}/runs")["job"]
                while (state := node.json("GET", f"/api/v1/jobs/{job}"))["state"] not in ("done", "failed"): time.sleep(0.1)
                assert state["state"] == "done" and state["result"]["seen"] == int(entries), state
                spent = node.cpu() - before
                print(f"{label:<20} {spent:8.2f} {int(entries) / spent:>10,.0f} entries/CPU-s {time.time() - started:7.1f} s", flush=True)
        finally:
            node.stop()
            server.terminate()


if __name__ == "__main__":
    main(*sys.argv[1:])
