#!/usr/bin/env python3
"""The interfaces that other programs speak, asked by those programs: interfaces.py BINARY

Starts a node with the demonstration in a temporary folder and runs the checks beside this file against it. One line a check; exit 1 on a failure.
"""
import json, os, socket, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
# A table with points, one with a longitude and a latitude of their own.
COLLECTIONS = ["301009-000001", "301001-000001"]


def main(binary):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, TONGQU_PACKS=os.path.join(HERE, "..", "..", "Packs"), TONGQU_DEMO_PASSWORD="Interfaces-Pass-2026")
        environment.pop("TONGQU_STORE", None)
        log = open(os.path.join(folder, "log"), "w")
        node = subprocess.Popen(
            [os.path.abspath(binary), "serve", "--data", os.path.join(folder, "node"), "--demo", "--port", str(port)],
            stdout=log, stderr=log, env=environment)
        base = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(base + "/healthz", timeout=5)
                    break
                except OSError:
                    time.sleep(0.1)
            failed = False
            checks = [("features.py", [base, collection], collection + " ") for collection in COLLECTIONS]
            checks.append(("dcat.py", [base], "dcat "))
            shown = json.load(urllib.request.urlopen(f"{base}/api/3/action/package_show?id={COLLECTIONS[0]}"))["result"]
            checks.append(("ckan.py", [base, COLLECTIONS[0], shown["resources"][0]["id"]], "ckan "))
            for script, arguments, name in checks:
                done = subprocess.run([sys.executable, os.path.join(HERE, script)] + arguments, capture_output=True, text=True)
                for line in done.stdout.splitlines():
                    if line.startswith(("ok ", "FAIL ")):
                        print(line.replace(" ", " " + name, 1))
                if done.returncode != 0:
                    failed = True
                    print(done.stderr[-2000:])
            return 1 if failed else 0
        finally:
            node.terminate()
            node.wait(30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
