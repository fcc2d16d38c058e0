#!/usr/bin/env python3
"""Measures the node against the figures it promises. CPU seconds are those of the process tree, from the operating system.

usage: python3 Benchmarks/benchmark.py VEHICLES.csv SCHEMA.json [--peers] [--only NAME,NAME]

VEHICLES.csv: 1,000,000 vehicle rows with known faults (id,plate_no,…); SCHEMA.json: the Table Schema of 19 rules they are checked against.
--peers also runs DuckDB, frictionless, a bare loader by Python's sqlite3 and Datasette (PyPI, in this Python) on the same file, in the same run;
PEERS_FOLDER names the folder of their scripts.
"""
import http.client, json, os, random, re, resource, shutil, signal, sqlite3, statistics, subprocess, sys, tempfile, threading, time, urllib.parse, urllib.request

import workbook

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.join(ROOT, ".build/release/tongqu")
PASSWORD = "Bench-Pass-2026"
TICK = os.sysconf("SC_CLK_TCK")
only = next((a.split("=", 1)[1].split(",") for a in sys.argv if a.startswith("--only=")), None)
vehicles, schema_path = [a for a in sys.argv[1:] if not a.startswith("--")][:2]


def say(name, figure, unit, note=""):
    print(f"{name:<58} {figure:>14} {unit} {note}", flush=True)


def wanted(name):
    return only is None or name in only


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def command_cpu(*arguments):
    """CPU seconds and peak memory (MB) of a command; its output."""
    before = children_cpu()
    process = subprocess.run(["/usr/bin/time", "-f", "%M", *arguments], capture_output=True, text=True)
    return children_cpu() - before, int(process.stderr.strip().split("\n")[-1]) / 1024, process.stdout


class Node:
    def __init__(self, folder, port, demo=True):
        self.folder, self.port = folder, port
        environment = dict(os.environ, TONGQU_DEMO_PASSWORD=PASSWORD, TONGQU_LOG_LEVEL="warning")
        self.started = time.time()
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", folder, "--port", str(port)] + (["--demo"] if demo else []), env=environment, cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                self.ask("GET", "/healthz")
                break
            except OSError:
                time.sleep(0.01)
        self.ready = time.time() - self.started

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        self.cookie = answer.getheader("set-cookie")
        return answer.status, data

    def sign_in(self, login):
        _, data = self.ask("POST", "/api/v1/session", json.dumps({"login": login, "password": PASSWORD}))
        return {"cookie": self.cookie.split(";")[0], "x-csrf-token": json.loads(data)["csrf"]}

    def cpu(self):
        return process_cpu(self.process.pid)

    def memory(self, what="VmHWM"):
        return int(re.search(rf"{what}:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read()).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def process_cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def pages(address, cpu, cookie=None):
    """Requests per CPU-second of a server under wrk, and the 99th percentile."""
    arguments = ["wrk", "-t1", "-c8", "-d5s", "--latency", *(["-H", f"Cookie: {cookie}"] if cookie else []), address]
    subprocess.run(arguments, capture_output=True)
    before = cpu()
    output = subprocess.run(arguments, capture_output=True, text=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    assert not errors, errors.group(0)
    return int(re.search(r"(\d+) requests in", output).group(1)) / (cpu() - before), re.search(r"99%\s+(\S+)", output).group(1)


def peers_load_pages_downloads(folder):
    """What a user would pick instead: Python's sqlite3 without checks, journal or evidence, and Datasette on its file."""
    database = os.path.join(folder, "v1m.db")
    before = children_cpu()
    subprocess.run([sys.executable, os.path.join(os.environ["PEERS_FOLDER"], "load_sqlite.py"), vehicles, database], capture_output=True, check=True)
    say("  Python sqlite3: load, 4 indexes, nothing checked", f"{1_000_000 / (children_cpu() - before):,.0f}", "rows")
    connection = sqlite3.connect(database)
    connection.execute("ANALYZE")
    connection.close()
    server = subprocess.Popen([sys.executable, "-m", "datasette", "serve", database, "-h", "127.0.0.1", "-p", "18433", "--setting", "max_csv_mb", "0", "--setting", "sql_time_limit_ms", "20000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            urllib.request.urlopen("http://127.0.0.1:18433/-/versions.json").read()
            break
        except OSError:
            time.sleep(0.1)
    cpu = lambda: process_cpu(server.pid)
    rate, slowest = pages("http://127.0.0.1:18433/v1m/vehicles.json?region_code__exact=110101&_shape=objects&_size=100&_nocount=1&_nofacet=1&_nosuggest=1", cpu)
    say("  Datasette: the same page, no sign-in, no evidence", f"{rate:,.0f}", "requests per CPU-second", slowest + " p99")
    before = cpu()
    answer = urllib.request.urlopen("http://127.0.0.1:18433/v1m/vehicles.csv?_stream=on&_size=max", timeout=600)
    lines = 0
    while chunk := answer.read(1 << 20):
        lines += chunk.count(b"\n")
    assert lines > 990_000, lines
    say("  Datasette: CSV", f"{lines / (cpu() - before):,.0f}", "rows per CPU-second")
    server.terminate()
    server.wait()


def check():
    for _ in range(1):
        command_cpu(BINARY, "check", vehicles, "--schema", schema_path, "--format", "json")
    runs = []
    for _ in range(3):
        cpu, memory, output = command_cpu(BINARY, "check", vehicles, "--schema", schema_path, "--format", "json")
        report = json.loads(output)
        runs.append((cpu, memory))
    assert report["errors"] == 9983, report["errors"]
    cpu = statistics.median(r[0] for r in runs)
    say("check, rows per CPU-second (must 600,000)", f"{report['rows'] / cpu:,.0f}", "rows", f"{max(r[1] for r in runs):.0f} MB, {report['errors']} errors")
    if "--peers" in sys.argv:
        peers = os.environ.get("PEERS_FOLDER", "")
        for name in ["validate_duckdb.py", "validate_frictionless.py"]:
            before = children_cpu()
            output = subprocess.run([sys.executable, name, vehicles] + (["1"] if "duck" in name else []), cwd=peers, capture_output=True, text=True).stdout
            if "duck" in name:
                best = max(float(x) for x in re.findall(r"rows/cpu-s=(\d+)", output))
                say("  DuckDB, counting only", f"{best:,.0f}", "rows")
            else:
                say("  frictionless", f"{1_000_000 / (children_cpu() - before):,.0f}", "rows")


def resource_schema():
    schema = json.load(open(schema_path))
    schema["primaryKey"] = ["id"]
    for field in schema["fields"]:
        if field["name"] in ("plate_no", "region_code", "vehicle_type"):
            field["tongqu:index"] = True
    return schema


def make(node, session, name="营运车辆"):
    accounts = json.loads(node.ask("GET", "/api/v1/organisations", headers=session)[1])["organisations"]
    provider = next(o["id"] for o in accounts if "公路" in o["name"])
    schema = resource_schema()
    content = {"name": name, "category": "301003", "provider": provider, "summary": "基准测试所用的虚构车辆记录,一百万行。", "schema": schema,
               "items": [{"sharing": 1}] * len(schema["fields"])}
    return json.loads(node.ask("POST", "/api/v1/resources", json.dumps(content), session)[1])["id"]


def upload(node, session, path):
    with open(path, "rb") as file:
        return json.loads(node.ask("POST", "/api/v1/uploads?name=vehicles.csv&no_secrets=true", file, session)[1])["upload"]


def load(node, session, identifier, sent):
    job = json.loads(node.ask("POST", f"/api/v1/resources/{identifier}/loads", json.dumps({"upload": sent, "mode": "replace"}), session)[1])["job"]
    return job


def wait(node, session, job):
    while True:
        state = json.loads(node.ask("GET", f"/api/v1/jobs/{job}", headers=session)[1])
        if state["state"] in ("done", "failed"):
            return state
        time.sleep(0.25)


def loads_pages_downloads():
    folder = tempfile.mkdtemp(prefix="tongqu-bench-")
    node = Node(os.path.join(folder, "n"), 18431)
    session = node.sign_in("clerk")
    identifier = make(node, session)
    sent = upload(node, session, vehicles)
    runs = []
    for _ in range(3):
        before = node.cpu()
        state = wait(node, session, load(node, session, identifier, sent))
        runs.append(node.cpu() - before)
        assert state["result"]["good"] == 990017, state
    cpu = statistics.median(runs)
    say("load with rules, evidence, 4 indexes (must 120,000)", f"{1_000_000 / cpu:,.0f}", "rows", f"{node.memory():.0f} MB peak")
    path = f"/api/v1/resources/{identifier}/records?limit=100&filter=" + urllib.parse.quote("region_code = '110101'")
    status, data = node.ask("GET", path, headers=session)
    assert status == 200 and len(json.loads(data)["records"]) > 10, data[:200]
    rate, slowest = pages(f"http://127.0.0.1:18431{path}", node.cpu, session["cookie"])
    say("page of 100, filtered on an index (must 800)", f"{rate:,.0f}", "requests per CPU-second", slowest + " p99")
    node.stop()
    node = Node(os.path.join(folder, "n"), 18431)
    session = node.sign_in("clerk")
    for round in range(2):
        before = node.cpu()
        status, data = node.ask("GET", f"/api/v1/resources/{identifier}/records.csv", headers=session)
        cpu = node.cpu() - before
        assert data.count(b"\n") == 990018
    say("CSV download from the version (must 330,000)", f"{990_017 / cpu:,.0f}", "rows per CPU-second", f"{node.memory():.0f} MB peak of a fresh process")
    before = node.cpu()
    status, data = node.ask("GET", f"/api/v1/resources/{identifier}/records.csv?filter=" + urllib.parse.quote("id > 0"), headers=session)
    assert data.count(b"\n") == 990018
    say("CSV download by scan of the table", f"{990_017 / (node.cpu() - before):,.0f}", "rows per CPU-second")
    # Forms while the next version loads.
    organisations = json.loads(node.ask("GET", "/api/v1/organisations", headers=session)[1])["organisations"]
    provider = next(o["id"] for o in organisations if "公路" in o["name"])
    form = {"name": "填报", "category": "301003", "provider": provider, "summary": "基准测试所用的逐条填报资源。", "storage": "records",
            "schema": {"fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "integer"}], "primaryKey": ["id"]}}
    records = json.loads(node.ask("POST", "/api/v1/resources", json.dumps(form), session)[1])["id"]
    job = load(node, session, identifier, sent)
    times = []
    number = 0
    while json.loads(node.ask("GET", f"/api/v1/jobs/{job}", headers=session)[1])["state"] in ("queued", "running"):
        for _ in range(10):
            number += 1
            started = time.perf_counter()
            status, data = node.ask("POST", f"/api/v1/resources/{records}/records", json.dumps({"id": f"R{number}", "n": number}), session)
            times.append(time.perf_counter() - started)
            assert status == 201, data
    times.sort()
    say("saving a form during a load, p99 (must 50)", f"{times[int(len(times) * 0.99)] * 1000:.1f}", "ms", f"{len(times)} saves, median {times[len(times) // 2] * 1000:.1f} ms")
    node.stop()
    if "--peers" in sys.argv:
        peers_load_pages_downloads(folder)
    shutil.rmtree(folder)


def spaced(text):
    return " ".join(text)


def searches_and_start():
    folder = tempfile.mkdtemp(prefix="tongqu-bench-")
    data = os.path.join(folder, "n")
    node = Node(data, 18432)
    node.stop()
    words = ["公路", "交通", "运输", "车辆", "桥梁", "隧道", "港口", "航道", "客运", "货运", "执法", "许可", "信用", "监测", "卡口", "路网", "事故", "养护", "收费", "站点"]
    rare = ["缆索", "溢油", "浮桥", "索道"]
    chance = random.Random(7)
    control = sqlite3.connect(os.path.join(data, "control.sqlite"))
    template = control.execute("SELECT owner, schema, sharing FROM resources LIMIT 1").fetchone()
    entry = control.execute("SELECT published, author FROM entries WHERE published IS NOT NULL LIMIT 1").fetchone()
    content = json.loads(entry[0])
    card = json.dumps({"marks": {"accuracy": 90}, "total": 90, "losses": [{"rule": "maximum", "field": "lanes", "severity": "error", "count": 3, "points": 1.2}]})
    for index in range(100_000):
        title = "".join(chance.sample(words, 3)) + (chance.choice(rare) if index % 400 == 0 else "") + f"数据{index}"
        body = "".join(chance.sample(words, 6))
        identifier = 1000 + index
        content["name"], content["category"] = title, f"3010{1 + index % 11:02d}"
        text = json.dumps(content, ensure_ascii=False)
        control.execute("INSERT INTO resources (id, code, name, owner, state, storage, schema, sharing, is_open) VALUES (?,?,?,?,'published','lake',?,?,1)",
                        (identifier, f"{content['category']}/9{index:06d}", title, template[0], template[1], template[2]))
        control.execute("INSERT INTO entries (resource, category, published, stage, version, author, published_at, changed_at, rows, data_at, score, frequency, format, level, comparable, items, remarks) VALUES (?,?,?,'none',1,?,1,1,10,1,90,?,'csv','province',?,6,1)",
                        (identifier, content["category"], text, entry[1], chance.choice(["daily", "monthly", "yearly"]), title))
        control.execute("INSERT INTO scorecards (resource, load, at, rows, total, card) VALUES (?,1,1,10,?,?)", (identifier, 90 + index % 10, card))
        control.execute("INSERT INTO quality_current (resource, owner, load, total) VALUES (?,?,1,?)", (identifier, template[0], 90 + index % 10))
        control.execute("INSERT INTO entries_text (rowid, title, body) VALUES (?,?,?)", (identifier, spaced(title), spaced(body)))
    control.commit()
    control.close()
    lake = sqlite3.connect(os.path.join(data, "lake.sqlite"))
    for index in range(1000):
        lake.execute(f"CREATE TABLE r{1000 + index}_{900000 + index} (_id INTEGER PRIMARY KEY, _owner BIGINT, _origin BIGINT, _load BIGINT, _seq BIGINT, c1 TEXT, c2 TEXT)")
        lake.execute("INSERT INTO tables (resource, physical, schema, next_id, next_seq, rows, load, updated_at) VALUES (?,?,?,1,1,0,1,1)", (1000 + index, f"r{1000 + index}_{900000 + index}", template[1]))
    lake.commit()
    lake.close()
    readies, memories = [], []
    for _ in range(3):
        node = Node(data, 18432, demo=False)
        readies.append(node.ready)
        node.ask("GET", "/search?q=" + urllib.parse.quote("公路"))
        memories.append(node.memory())
        if len(readies) < 3:
            node.stop()
    say("start to first answer, 100,000 entries (must 1.5)", f"{statistics.median(readies):.2f}", "s", f"{max(memories):.0f} MB after a search")
    for label, list_ in [("≤ 5,000 hits (must 20)", rare), ("> 5,000 hits (must 60)", words)]:
        times = []
        total = 0
        for index in range(200):
            word = list_[index % len(list_)]
            started = time.perf_counter()
            status, body = node.ask("GET", "/api/v1/resources?limit=20&q=" + urllib.parse.quote(word))
            times.append(time.perf_counter() - started)
            total = json.loads(body)["total"]
        times.sort()
        say(f"search, two characters, facets, p99, {label}", f"{times[int(len(times) * 0.99)] * 1000:.1f}", "ms", f"median {times[100] * 1000:.1f} ms, {total} hits")
    # The console at the same size: every page of its own, read by one client, CPU of the server.
    for login in ["steward", "sysadmin"]:
        session = node.sign_in(login)
        pages_of = ["/console", "/console/entries", "/console/entries?order=score&limit=200", "/console/entries?q=" + urllib.parse.quote("港口"), "/console/ledger", "/console/openings", "/console/quality", f"/console/quality?provider={template[0]}", "/console/standards", "/console/compliance", "/console/sources", "/console/feedback", "/organisations", "/openlist", f"/console/entries/{content['category']}-9099999"] \
            if login == "steward" else ["/console/accounts", "/console/organisations", "/console/settings", "/console/jobs", "/console/backups"]
        for path in pages_of:
            for _ in range(3):
                node.ask("GET", path, headers=session)
            before = node.cpu()
            for _ in range(20):
                status, body = node.ask("GET", path, headers=session)
                assert status == 200, (path, status)
            say(f"console page {urllib.parse.unquote(path)[:40]} (must 30)", f"{(node.cpu() - before) / 20 * 1000:.1f}", "ms CPU", f"{len(body) / 1024:.0f} KB")
    node.stop()
    shutil.rmtree(folder)


def catalogue_workbook():
    folder = tempfile.mkdtemp(prefix="tongqu-bench-")
    node = Node(os.path.join(folder, "n"), 18434)
    session = node.sign_in("clerk")
    path = os.path.join(folder, "catalogue.xlsx")
    workbook.write(path, 5000, 12, "天津市公路事业发展服务中心")
    with open(path, "rb") as file:
        sent = json.loads(node.ask("POST", "/api/v1/uploads?name=catalogue.xlsx&no_secrets=true", file, session)[1])["upload"]
    runs = []
    for label in ["all new", "again, nothing changes"]:
        before = node.cpu()
        status, body = node.ask("POST", "/api/v1/entries/import", json.dumps({"upload": sent, "apply": True}), session)
        report = json.loads(body)
        assert status == 200 and report["rows"] == 60_000 and report["created"] + report["unchanged"] == 5000, body[:500]
        say(f"workbook of 5,000 entries, 60,000 items: {label} (must 30)", f"{node.cpu() - before:.1f}", "CPU-s", f"{node.memory():.0f} MB peak")
    before = node.cpu()
    status, body = node.ask("GET", "/api/v1/entries.xlsx", headers=session)
    assert status == 200
    say("the same written as a workbook", f"{node.cpu() - before:.1f}", "CPU-s", f"{len(body) / 1e6:.1f} MB")
    before = node.cpu()
    codes = [e["code"] for e in json.loads(node.ask("GET", "/api/v1/entries?stage=draft&limit=1000", headers=session)[1])["entries"]]
    status, body = node.ask("POST", "/api/v1/entries/steps", json.dumps({"step": "submit", "codes": codes}), session)
    say("1,000 entries submitted together", f"{node.cpu() - before:.1f}", "CPU-s", f"{json.loads(body)['done']} done")
    status, body = node.ask("GET", "/", headers={"accept-encoding": "identity"})
    size = len(body) + sum(len(node.ask("GET", path)[1]) for path in re.findall(r'(?:href|src)="(/assets/[^"]+)"', body.decode()))
    say("home page with its styles, before compression (must 100)", f"{size / 1024:.0f}", "KB")
    node.stop()
    shutil.rmtree(folder)


print(f"{time.strftime('%Y-%m-%d')} · {os.cpu_count()} cores · load {os.getloadavg()[0]:.1f}")
for name, function in [("check", check), ("data", loads_pages_downloads), ("search", searches_and_start), ("catalogue", catalogue_workbook)]:
    if wanted(name):
        function()
