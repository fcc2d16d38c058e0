"""Stops a node with kill -9 at random moments of loads and of steps and looks at what is left.

usage: crash.py BINARY [ROUNDS]
After every stop the node starts again, its table holds exactly one whole version, the interrupted load is finished by its job, steps of flows are there
once and whole, and the evidence verifies.
"""
import http.client, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, time

from steps import stepped, write_pack

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PASSWORD = "Crash-Pass-2026"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    def __init__(self, binary, folder, demo=False, packs=""):
        self.port = free_port()
        environment = dict(os.environ, TONGQU_DEMO_PASSWORD=PASSWORD, TONGQU_LOG_LEVEL="warning", TONGQU_LANG="en")
        if packs: environment["TONGQU_PACKS"] = packs
        self.process = subprocess.Popen([binary, "serve", "--data", folder, "--port", str(self.port)] + (["--demo"] if demo else []), env=environment, stderr=subprocess.DEVNULL)
        deadline = time.time() + 120
        while time.time() < deadline:
            try:
                if self.ask("GET", "/healthz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.02)
        else:
            raise SystemExit("the node did not start again")

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        self.cookie = answer.getheader("set-cookie")
        return answer.status, answer.read()

    def sign_in(self, login="clerk"):
        data = json.loads(self.ask("POST", "/api/v1/session", json.dumps({"login": login, "password": PASSWORD}))[1])
        return {"cookie": self.cookie.split(";")[0], "x-csrf-token": data["csrf"]}


def csv(rows, mark):
    return "id,kind,name\n" + "".join(f"{i},{'abc'[i % 3]},{mark}{i}\n" for i in range(rows))


def collected(binary, data, node, provider, chance):
    """Files of a folder are read while the node is stopped again and again: every row is there once, though nothing but the order of work keeps them apart."""
    session = node.sign_in("steward")
    schema = {"fields": [{"name": "file", "type": "string"}, {"name": "row", "type": "integer"}]}
    body = {"name": "崩溃归集", "category": "301001", "provider": provider, "summary": "反复中断归集所用的虚构资源。", "schema": schema}
    resource = json.loads(node.ask("POST", "/api/v1/resources", json.dumps(body), session)[1])
    drop = os.path.join(data, "drop")
    os.makedirs(drop, exist_ok=True)
    for number in range(30):
        path = os.path.join(drop, f"crash-{number:03}.csv")
        with open(path, "w") as out:
            out.write("file,row\n" + "".join(f"f{number:03},{row}\n" for row in range(4000)))
        os.utime(path, (time.time() - 600,) * 2)
    source = {"name": "崩溃归集", "resource": resource["code"], "kind": "folder", "mode": "append", "schedule": "every 1m", "settings": {"folder": drop, "pattern": "crash-*.csv"}}
    number = json.loads(node.ask("POST", "/api/v1/sources", json.dumps(source), session)[1])["id"]
    deadline = time.time() + 240
    for kill in range(1000):
        assert time.time() < deadline, "the files were not all read in time"
        node.ask("POST", f"/api/v1/sources/{number}/runs", headers=session)
        time.sleep(0.3 + chance.random() * 1.2)
        shown = json.loads(node.ask("GET", f"/api/v1/resources/{resource['id']}/records?limit=1&count=exact", headers=session)[1])
        if shown["count"] >= 120_000:
            break
        if kill < 12:
            node.process.send_signal(signal.SIGKILL)
            node.process.wait()
            node = Node(binary, data)
    time.sleep(1)
    shown = json.loads(node.ask("GET", f"/api/v1/resources/{resource['id']}/records?limit=1&count=exact", headers=session)[1])
    assert shown["count"] == 120_000, shown["count"]
    print(f"ok collection_killed_{min(kill, 12)}_times_every_row_once")
    return node


def main(binary, rounds):
    chance = random.Random(2026)
    folder = tempfile.mkdtemp(prefix="tongqu-crash-")
    data = os.path.join(folder, "node")
    try:
        node = Node(binary, data, demo=True, packs=f"{ROOT}/Packs:{write_pack(folder)}")
        session = node.sign_in()
        organisations = json.loads(node.ask("GET", "/api/v1/organisations", headers=session)[1])["organisations"]
        provider = next(o["id"] for o in organisations if "公路" in o["name"])
        schema = {"fields": [{"name": "id", "type": "integer"}, {"name": "kind", "type": "string", "tongqu:index": True}, {"name": "name", "type": "string"}], "primaryKey": ["id"]}
        body = {"name": "崩溃测试", "category": "301001", "provider": provider, "summary": "反复中断加载所用的虚构资源。", "schema": schema}
        code = json.loads(node.ask("POST", "/api/v1/resources", json.dumps(body), session)[1])["id"]
        sizes = {0}
        unfinished = 0
        for round in range(rounds):
            size = chance.choice([60_000, 120_000, 180_000])
            text = csv(size, f"r{round}-")
            upload = json.loads(node.ask("POST", "/api/v1/uploads?name=a.csv&no_secrets=true", text.encode(), session)[1])["upload"]
            status, answer = node.ask("POST", f"/api/v1/resources/{code}/loads", json.dumps({"upload": upload, "mode": "replace"}), session)
            job = json.loads(answer)["job"]
            time.sleep(chance.random() * 0.7)
            node.process.send_signal(signal.SIGKILL)
            node.process.wait()
            node = Node(binary, data)
            # Sessions survive too: the same cookie serves.
            count = json.loads(node.ask("GET", f"/api/v1/resources/{code}/records?limit=1&count=exact", headers=session)[1])["count"]
            assert count in sizes | {size}, f"round {round}: {count} rows, neither the old version nor the new one"
            deadline = time.time() + 60
            while True:
                state = json.loads(node.ask("GET", f"/api/v1/jobs/{job}", headers=session)[1])
                if state["state"] in ("done", "failed"):
                    break
                assert time.time() < deadline, state
                time.sleep(0.02)
            unfinished += count != size
            assert state["state"] == "done", f"round {round}: {state}"
            page = json.loads(node.ask("GET", f"/api/v1/resources/{code}/records?limit=1&count=exact&filter=kind%3D%27b%27", headers=session)[1])
            assert page["count"] == (size + 1) // 3 and page["records"][0]["name"] == f"r{round}-1", f"round {round}: {page}"
            sizes = {size}
        node = collected(binary, data, node, provider, chance)
        node = stepped(lambda: Node(binary, data), node, chance)
        auditor = node.sign_in("auditor")
        verdict = json.loads(node.ask("POST", "/api/v1/evidence/verify", headers=auditor)[1])
        assert verdict["sound"], verdict
        node.process.send_signal(signal.SIGTERM)
        assert node.process.wait(30) == 0
        assert unfinished > 0, "no load was interrupted: the moments were badly chosen"
        print(f"ok killed_{rounds}_times_nothing_lost ({unfinished} loads interrupted, {verdict['records']} records of evidence sound)")
    finally:
        node.process.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50)
