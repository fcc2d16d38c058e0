#!/usr/bin/env python3
"""The interfaces that other programs speak, asked by those programs: interfaces.py BINARY

Starts a node with the demonstration in a temporary folder, and one that limits requests, and runs the checks beside this file against them. One line a check; exit 1 on a failure.
"""
import json, os, socket, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "Interfaces-Pass-2026"
# A table with points, one with a longitude and a latitude of their own.
COLLECTIONS = ["301009-000001", "301001-000001"]


class Node:
    def __init__(self, binary, folder, **settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = dict(os.environ, TONGQU_PACKS=os.path.join(HERE, "..", "..", "Packs"), TONGQU_DEMO_PASSWORD=PASSWORD, **settings)
        environment.pop("TONGQU_STORE", None)
        self.log = open(folder + ".log", "w")
        self.process = subprocess.Popen(
            [os.path.abspath(binary), "serve", "--data", folder, "--demo", "--port", str(port)],
            stdout=self.log, stderr=self.log, env=environment)
        self.base = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(self.base + "/healthz", timeout=5)
                return
            except OSError:
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def main(binary):
    with tempfile.TemporaryDirectory() as folder:
        nodes = []
        try:
            nodes.append(Node(binary, os.path.join(folder, "node")))
            nodes.append(Node(binary, os.path.join(folder, "limited"), TONGQU_RATE_LIMIT="30"))
            base, limited = (node.base for node in nodes)
            shown = json.load(urllib.request.urlopen(f"{base}/api/3/action/package_show?id={COLLECTIONS[0]}"))["result"]
            checks = [("features.py", [base, collection], collection + " ") for collection in COLLECTIONS]
            checks.append(("dcat.py", [base], "dcat "))
            checks.append(("ckan.py", [base, COLLECTIONS[0], shown["resources"][0]["id"]], "ckan "))
            checks.append(("packages.py", [base], "packages "))
            checks.append(("openapi.py", [base, "--seconds", "20"], "openapi "))
            # The last of its checks tries to end the node.
            checks.append(("protocol.py", [base, COLLECTIONS[0], "--limited", limited, "--password", PASSWORD], "protocol "))
            failed = False
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
            for node in nodes:
                node.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
