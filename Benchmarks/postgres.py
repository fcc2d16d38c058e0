#!/usr/bin/env python3
"""What the node costs on PostgreSQL: a million rows loaded, downloaded and read by pages. CPU seconds are the node's and the server's together.

usage: postgres.py BINARY VEHICLES.csv SCHEMA.json [LOADS]

VEHICLES.csv and SCHEMA.json: as for benchmark.py. LOADS: how often the file is loaded (3); the load in the middle, by CPU of both, is the one that is told.
A PostgreSQL of its own (the newest in /usr/lib/postgresql, durable) is started in a temporary folder and removed at the end. Needs wrk, and PostgreSQL's psql and pgbench.
TONGQU_PACKS: the packs of the demonstration (Tests/Fixtures/packs beside this folder). The server's CPU is that of its postmaster, of its processes that ended and of those that live.
"""
import glob, http.client, json, os, re, resource, secrets, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PASSWORD = "Bench-Pass-2026"
TICK = os.sysconf("SC_CLK_TCK")
ROWS, GOOD = 1_000_000, 990_017
# On PostgreSQL 15 fsync, synchronous_commit and full_page_writes are on by default; they are written out so that nobody has to know.
SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "512MB", "maintenance_work_mem": "256MB", "max_wal_size": "4GB", "jit": "off"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat(pid):
    """The fields of /proc/PID/stat from the state on: 1 the parent, 11 to 14 the ticks of the process and of its children that ended; None where it is gone."""
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Server:
    """A PostgreSQL; as root it gets the account that Debian's package made."""

    def __init__(self, folder):
        found = glob.glob("/usr/lib/postgresql/*/bin")
        if not found: raise SystemExit("no PostgreSQL in /usr/lib/postgresql")
        self.bin = max(found, key=lambda path: float(path.split("/")[-2]))
        self.home, self.port, self.password = os.path.join(folder, "postgres"), free_port(), secrets.token_hex(12)
        self.data, self.log = os.path.join(self.home, "data"), os.path.join(self.home, "log")
        os.mkdir(self.home)
        secret = os.path.join(self.home, "password")
        with open(secret, "w") as out: out.write(self.password)
        for path in (self.home, secret) if os.getuid() == 0 else (): shutil.chown(path, "postgres")
        self.run("initdb", "-D", self.data, "-U", "tongqu", "--auth=scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C.UTF-8")
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        try:
            self.run("pg_ctl", "-D", self.data, "-w", "-l", self.log, "-o", f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= {settings}", "start")
            self.pid = int(open(os.path.join(self.data, "postmaster.pid")).readline())
        except BaseException:
            self.stop()
            raise

    def run(self, program, *arguments):
        command = [os.path.join(self.bin, program), *arguments]
        command = ["runuser", "-u", "postgres", "--", *command] if os.getuid() == 0 else command
        # To a file: a pipe would stay open in the server that pg_ctl leaves behind.
        with tempfile.TemporaryFile("w+") as said:
            if subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said).returncode:
                said.seek(0)
                raise SystemExit(f"{program}: {said.read()[-2000:]}")

    @property
    def address(self):
        return f"postgresql://tongqu:{self.password}@127.0.0.1:{self.port}/postgres?schema=bench"

    def client(self, program, *arguments, **options):
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "tongqu"]
        environment = dict(os.environ, PGPASSWORD=self.password)
        done = subprocess.run([os.path.join(self.bin, program), *place, *arguments], env=environment, stderr=subprocess.PIPE, text=True, **options)
        if done.returncode: raise SystemExit(f"{program}: {done.stderr}")
        return done.stdout

    def sql(self, text, stdout=subprocess.PIPE, stdin=None):
        said = self.client("psql", "-d", "postgres", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text, stdout=stdout, stdin=stdin)
        return said.strip() if said else ""

    def cpu(self):
        # A process that ends while all are read would be counted twice or not at all: then they are read again.
        while True:
            reaped = stat(self.pid)[13:15]
            all = {int(name): fields for name in os.listdir("/proc") if name.isdigit() and (fields := stat(name))}
            if stat(self.pid)[13:15] == reaped: break
        children, queue, ticks = {}, [self.pid], sum(int(tick) for tick in reaped)
        for pid, fields in all.items(): children.setdefault(int(fields[1]), []).append(pid)
        while queue:
            pid = queue.pop()
            ticks += sum(int(tick) for tick in all[pid][11:13])
            queue += children.get(pid, [])
        return ticks / TICK

    def stop(self):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")): self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


class Node:
    def __init__(self, binary, folder, store):
        self.port = free_port()
        packs = os.environ.get("TONGQU_PACKS", os.path.join(ROOT, "Tests/Fixtures/packs"))
        environment = dict(os.environ, TONGQU_DEMO_PASSWORD=PASSWORD, TONGQU_LOG_LEVEL="warning", TONGQU_LANG="en", TONGQU_PACKS=packs)
        with open(folder + ".log", "w") as log:
            self.process = subprocess.Popen([binary, "serve", "--data", folder, "--store", store, "--port", str(self.port), "--demo"], env=environment, stdout=log, stderr=log)
        for _ in range(3000):
            try:
                if self.ask("GET", "/healthz")[0] == 200: return
            except OSError:
                if self.process.poll() is not None: break
                time.sleep(0.02)
        self.stop()
        raise SystemExit("the node did not start: " + open(folder + ".log").read()[-2000:])

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        self.cookie = answer.getheader("set-cookie")
        return answer.status, answer.read()

    def json(self, method, path, body=None):
        status, data = self.ask(method, path, json.dumps(body) if isinstance(body, dict) else body, self.session)
        assert 200 <= status < 300, (method, path, status, data[:1000])
        return json.loads(data)

    def sign_in(self, login):
        status, data = self.ask("POST", "/api/v1/session", json.dumps({"login": login, "password": PASSWORD}))
        assert status < 300, (status, data)
        self.session = {"cookie": self.cookie.split(";")[0], "x-csrf-token": json.loads(data)["csrf"]}

    def cpu(self):
        return sum(int(tick) for tick in stat(self.process.pid)[11:13]) / TICK

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as out: out.write("5")

    def peak(self):
        return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read()).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Spent:
    """What a workload took: of the node, or of a client that stands in its place, and of the server."""

    def __init__(self, server, node=None):
        self.server, self.node = server, node
        if node: node.forget_peak()
        self.before, self.started = (self.own(), server.cpu()), time.time()

    def own(self):
        return self.node.cpu() if self.node else children_cpu()

    def end(self):
        self.wall = time.time() - self.started
        self.first, self.second = self.own() - self.before[0], self.server.cpu() - self.before[1]
        self.peak = self.node.peak() if self.node else None
        return self

    @property
    def both(self):
        return self.first + self.second

    def say(self, label, count, unit, note=""):
        rate = f"{count / max(self.both, 1 / TICK):,.0f} {unit}/CPU-s" if count else ""
        peak = f"{self.peak:.0f} MB" if self.peak else ""
        print(f"{label:<52} {self.first:8.2f} {self.second:8.2f} {rate:>22} {self.wall:7.1f} s {peak:>7}  {note}".rstrip(), flush=True)


def make(node, schema_path):
    """The resource of benchmark.py: the key and three fields indexed."""
    schema = json.load(open(schema_path))
    schema["primaryKey"] = ["id"]
    for field in schema["fields"]:
        if field["name"] in ("plate_no", "region_code", "vehicle_type"): field["tongqu:index"] = True
    provider = next(o["id"] for o in node.json("GET", "/api/v1/organisations")["organisations"] if "公路" in o["name"])
    content = {"name": "营运车辆", "category": "301003", "provider": provider, "summary": "基准测试所用的虚构车辆记录,一百万行。", "schema": schema, "items": [{"sharing": 1}] * len(schema["fields"])}
    return node.json("POST", "/api/v1/resources", content)["id"], [field["name"] for field in schema["fields"]]


def loads(server, node, identifier, vehicles, times):
    spent = Spent(server, node)
    with open(vehicles, "rb") as file:
        sent = node.json("POST", "/api/v1/uploads?name=vehicles.csv&no_secrets=true", file)["upload"]
    spent.end().say("upload of the file", ROWS, "rows")
    runs = []
    for _ in range(times):
        spent = Spent(server, node)
        job = node.json("POST", f"/api/v1/resources/{identifier}/loads", {"upload": sent, "mode": "replace"})["job"]
        while (state := node.json("GET", f"/api/v1/jobs/{job}"))["state"] not in ("done", "failed"): time.sleep(0.25)
        runs.append(spent.end())
        result = state["result"]
        assert state["state"] == "done" and result["good"] == GOOD and result["good"] + result["bad"] == ROWS, state
    runs.sort(key=lambda run: run.both)
    runs[len(runs) // 2].say("load with rules, evidence, 4 indexes", ROWS, "rows", f"of {times} loads: {runs[0].both:.1f} to {runs[-1].both:.1f} CPU-s")


def settle(server, node, table):
    """A load leaves work to the server: it is told by itself, and is over before anything else is measured."""
    spent = Spent(server, node)
    server.sql("CHECKPOINT")
    schema, name = table.split(".")
    asked = f"""SELECT last_autovacuum IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker')
        FROM pg_stat_all_tables WHERE schemaname = '{schema}' AND relname = '{name}'"""
    for _ in range(30):
        if over := server.sql(asked) == "t": break
        time.sleep(5)
    spent.end().say("  left by the loads: checkpoint, autovacuum", 0, "", "" if over else "no autovacuum of the table in 150 s")


def downloads(server, node, identifier):
    path = f"/api/v1/resources/{identifier}/records.csv"
    for label, path in [("CSV download, from the version's file", path), ("CSV download, by scan of the table", path + "?filter=" + urllib.parse.quote("id > 0"))]:
        for _ in range(2):
            spent = Spent(server, node)
            status, data = node.ask("GET", path, headers=node.session)
            spent.end()
            assert status == 200 and data.count(b"\n") == GOOD + 1, (status, data[:500])
        spent.say(label, GOOD, "rows")


def pages(server, node, identifier):
    for name, condition in [("region", "region_code = '110101'"), ("type", "vehicle_type = '客车'")]:
        path = f"/api/v1/resources/{identifier}/records?limit=100&filter=" + urllib.parse.quote(condition)
        rows = len(node.json("GET", path)["records"])
        assert rows > 10, rows
        wrk = lambda seconds: subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-H", f"Cookie: {node.session['cookie']}", f"http://127.0.0.1:{node.port}{path}"], capture_output=True, text=True, check=True).stdout
        wrk(3)
        spent = Spent(server, node)
        output = wrk(10)
        spent.end()
        errors = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", output)
        assert not errors, errors.group(0)
        requests, slowest = int(re.search(r"(\d+) requests in", output).group(1)), re.search(r"99%\s+(\S+)", output).group(1)
        spent.say(f"page of 100 by an indexed {name}, signed in", requests, "requests", f"{rows} rows a page, {slowest} p99")


def references(server, folder, vehicles, names, table):
    """The server without the node. The first figure is that of psql or pgbench, as the node's stands above."""
    server.sql(f"CREATE TABLE plain ({', '.join(f'{name} text' for name in names)})")
    spent = Spent(server)
    with open(vehicles, "rb") as file: server.sql("COPY plain FROM STDIN (FORMAT csv, HEADER)", stdin=file)
    spent.end().say("psql COPY of the file: text, no index, no check", ROWS, "rows")
    assert server.sql("SELECT count(*) FROM plain") == str(ROWS)
    columns = ", ".join(f"c{index + 1}" for index in range(len(names)))
    with open(os.devnull, "w") as sink:
        for _ in range(2):
            spent = Spent(server)
            server.sql(f"COPY (SELECT {columns} FROM {table}) TO STDOUT (FORMAT csv, HEADER)", stdout=sink)
            spent.end()
    spent.say("psql COPY of the node's table TO STDOUT", GOOD, "rows")
    low, high = server.sql(f"SELECT min(_id), max(_id) FROM {table}").split("|")
    region = f"c{names.index('region_code') + 1}"
    page = f"SELECT json_agg(p) FROM (SELECT _id, {columns} FROM {table} WHERE %s ORDER BY _id LIMIT 100) p;\n"
    for label, text in [("by id, json_agg", f"\\set id random({low}, {int(high) - 100})\n" + page % "_id >= :id"), ("by the indexed region, json_agg", page % f"{region} = '110101'")]:
        script = os.path.join(folder, "page.sql")
        with open(script, "w") as out: out.write(text)
        run = lambda seconds: server.client("pgbench", "-n", "-c", "8", "-j", "1", "-T", str(seconds), "-M", "prepared", "-f", script, "postgres", stdout=subprocess.PIPE)
        run(2)
        spent = Spent(server)
        output = run(5)
        spent.end().say(f"pgbench, page of 100 {label}", int(re.search(r"actually processed: (\d+)", output).group(1)), "requests")


def main(binary, vehicles, schema, times="3"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder, server, node = tempfile.mkdtemp(prefix="tongqu-postgres-"), None, None
    try:
        os.chmod(folder, 0o755)
        server = Server(folder)
        node = Node(os.path.abspath(binary), os.path.join(folder, "n"), server.address)
        print(f"{time.strftime('%Y-%m-%d')} · {os.cpu_count()} cores · load {os.getloadavg()[0]:.1f} · PostgreSQL {server.sql('SHOW server_version')}: " + ", ".join(f"{name} {server.sql(f'SHOW {name}')}" for name in SETTINGS))
        print(f"{'':<52} {'node':>8} {'server':>8} {'of both':>22} {'wall':>9} {'peak':>7}     (CPU seconds; without the node that of psql or pgbench)")
        node.sign_in("clerk")
        identifier, names = make(node, schema)
        loads(server, node, identifier, vehicles, int(times))
        table = "bench_lake." + server.sql(f"SELECT physical FROM bench_lake.tables WHERE rows = {GOOD}")
        settle(server, node, table)
        downloads(server, node, identifier)
        pages(server, node, identifier)
        references(server, folder, vehicles, names, table)
    except Exception:
        if node: sys.stderr.write("the node said: " + open(os.path.join(folder, "n.log")).read()[-4000:] + "\n")
        raise
    finally:
        try:
            if node: node.stop()
        finally:
            try:
                if server: server.stop()
            finally:
                shutil.rmtree(folder)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5): raise SystemExit(__doc__)
    main(*sys.argv[1:])
