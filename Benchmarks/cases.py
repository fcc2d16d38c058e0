#!/usr/bin/env python3
"""What 200,000 penalty cases cost: lists, the board, a record, tasks, figures and steps. CPU is the node's (and, on PostgreSQL, the server's) a request.

usage: cases.py BINARY [--store sqlite|postgresql] [--cases 200000] [--seeds 1000] [--keep FOLDER] [--only pages,figures,steps,together]

How the cases are made: SEEDS of them step by step through the node's own API by the demonstration's people (eight connections), in the spread of an
authority's three years: most archived, a tenth under way in every state. Then the node is stopped and each is copied with everything that the node
wrote of it (row, standing, history, clocks, created payments and publicity; of every tenth copy the documents too): a copy has numbers and codes of its
own, other officers and another party, and lies some days further back. So every row is one that the node wrote, but for keys, names and days. The node
starts again, takes the steps of the clocks that ran out in the copies, and is measured.

A PostgreSQL of its own is started in a temporary folder, as for postgres.py. TONGQU_PACKS: the packs (Packs and Systems beside this folder).
"""
import argparse, datetime, html, http.client, json, os, random, re, shutil, sqlite3, sys, tempfile, threading, time, urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import postgres
from postgres import Node, Server, PASSWORD, TICK

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = "/systems/enforcement/penalty_cases"
API = "/api/v1/systems/enforcement/penalty_cases/records"
DONE = ("archived", "transferred", "not_filed", "withdrawn")
OFFICERS = 40
DAY = 86_400_000_000


class Person:
    """Somebody who is signed in, on a connection of their own."""

    def __init__(self, port, login):
        self.port, self.login, self.connection, self.used = port, login, None, 0
        status, data, headers = self.send("POST", "/api/v1/session", json.dumps({"login": login, "password": PASSWORD}))
        assert status < 300, (login, status, data[:300])
        self.headers = {"cookie": headers["set-cookie"].split(";")[0], "x-csrf-token": json.loads(data)["csrf"]}

    def send(self, method, path, body=None):
        # Connections that nobody uses are ended by the node.
        if not self.connection or time.time() - self.used > 10: self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        self.connection.request(method, path, body, getattr(self, "headers", {}))
        answer = self.connection.getresponse()
        data, self.used = answer.read(), time.time()
        return answer.status, data, answer.headers

    def get(self, path):
        status, data, _ = self.send("GET", path)
        assert status == 200, (path, status, data[:500].decode("utf-8", "replace"))
        return data

    def post(self, path, body):
        status, data, _ = self.send("POST", path, json.dumps(body).encode())
        assert 200 <= status < 300, (self.login, path, body, status, data[:800].decode("utf-8", "replace"))
        return json.loads(data)


class People(dict):
    """People by login, each signed in once."""

    def __init__(self, port):
        self.port = port

    def __missing__(self, login):
        self[login] = Person(self.port, login)
        return self[login]


# MARK: What becomes of a case

CAUSES = [
    ("公路路政", "车辆在公路上擅自超限行驶", "CF-GL-001", "CL-003", 2500, 10000), ("公路路政", "车辆外廓尺寸超限", "CF-GL-002", "CL-006", 200, 1000),
    ("道路运政", "道路货物运输经营违法行为", "CF-DL-001", "CL-010", 3000, 10000), ("水路运政", "水路运输经营违法行为", "CF-SL-001", "CL-012", 20000, 60000),
]
RARE = ("公路路政", "擅自在公路建筑控制区内修建建筑物", "CF-GL-001", "CL-003", 2500, 10000)
SOURCES = ["行政检查", "投诉举报", "非现场执法", "上级交办", "部门移送"]
DECISION = {"reconsideration_body": "示例行政复议机关", "court": "示例人民法院", "payment_channel": "示例银行各网点"}

# Where cases stop, in thousandths: most are over, the others lie in every state that the ordinary way passes.
SPREAD = [
    ("archived", 690), ("on_spot", 200), ("lead", 8), ("filing", 8), ("investigation", 30), ("case_review", 6), ("notice", 4), ("notified", 10),
    ("deciding", 4), ("decided", 5), ("executing", 12), ("urged", 4), ("closing", 3), ("closed", 6), ("not_filed", 5), ("withdrawn", 5),
]
ORDER = ["lead", "filing", "investigation", "case_review", "notice", "notified", "deciding", "decided", "executing", "paid", "closing", "closed", "archived"]


def lead(chance, number):
    domain, cause, item, *_ = RARE if number % 250 == 7 else chance.choices(CAUSES, [60, 15, 20, 5])[0]
    values = {"source": chance.choice(SOURCES), "source_text": f"第{number}条线索，检查中发现涉嫌违法行为。", "item_code": item, "domain": domain, "cause": cause, "place": f"天津市示例路{number}号"}
    values["happened_at"] = (datetime.datetime.now() - datetime.timedelta(days=chance.randrange(1, 20))).strftime("%Y-%m-%dT%H:%M:%S+08:00")
    if number % 3 == 0: values |= {"party_kind": "公民", "party_person": "何示例", "party_phone": "13900000301"}
    else: values |= {"party_kind": "法人", "party_unit": f"天津示例运输{number}有限公司(虚构)", "party_representative": "钱示例", "party_phone": "13900000201"}
    return values


def officers(number):
    first, second = number % OFFICERS, (number + 7) % OFFICERS
    return {"officer_1": f"12000001{first + 101}", "officer_1_name": f"张示例", "officer_2": f"12000001{second + 101}", "officer_2_name": "王示例"}


def review(number):
    _, _, _, standard, low, _ = next(cause for cause in CAUSES)
    fine = low + 500
    values = {"facts": "经查，当事人违法事实清楚。", "evidence_summary": "现场笔录、询问笔录、称重检测单", "violated": "公路安全保护条例的规定", "basis": "公路安全保护条例第六十四条", "investigation_result": f"建议罚款{fine}元。",
              "complicated": "false", "major_kind": "无", "discretion_no": standard, "discretion_level": "一般", "proposed_kind": "罚款", "proposed_fine": fine, "proposed_text": f"罚款{fine}元"}
    return values if number % 50 else values | {"proposed_fine": low - 500, "deviation_reason": "首次违法，及时改正"}


def fine(number): return 3000 if number % 50 else 2000


def ordinary(number):
    """The ordinary way: the state that a step leads to, who takes it, the step, its values."""
    return [
        ("filing", "officer1", "submit_filing", officers(number)), ("investigation", "chief", "file", {}), ("case_review", "officer1", "submit_review", review(number)),
        ("notice", "chief", "approve_review", {}), ("notified", "officer1", "notify_party", {"notice_served_how": "直接送达"}), ("deciding", "officer1", "to_deciding", {}),
        ("decided", "chief", "decide", {"penalty_kind": "罚款", "fine_amount": fine(number), "penalty_text": f"罚款{fine(number)}元"} | DECISION),
        ("executing", "caseclerk", "serve", {"served_how": "直接送达", "served_to": "钱示例"}), ("executing", "caseclerk", "open_payment", {}),
        ("paid", "caseclerk", "confirm_paid", {"paid_amount": fine(number)}), ("closing", "officer1", "propose_closing", {"execution_result": "罚款已缴清", "closing_text": "已履行完毕，建议结案。"}),
        ("closed", "chief", "approve_closing", {}), ("archived", "caseclerk", "archive", {"archive_pages": 30 + number % 40}),
    ]


def make(people, chance, number, end):
    """One case, step by step, as far as it goes."""
    def step(record, login, name, values): return people[login].post(f"{API}/{record}/steps", {"step": name, "values": values, "note": "同意"})
    def on(record, steps):
        for _, login, name, values in steps: step(record, login, name, values)
    if end == "on_spot":
        values = lead(chance, number * 3) | officers(number) | DECISION | {"facts": "车货总高度超过四米。", "evidence_summary": "现场笔录", "violated": "公路安全保护条例的规定", "basis": "超限运输车辆行驶公路管理规定第四十三条", "penalty_kind": "罚款", "fine_amount": 100, "penalty_text": "罚款100元"}
        values.pop("source_text")
        record = people["officer2"].post(API, {"step": "decide_on_spot", "values": values})["record"]
        on(record, [("", "officer2", "serve", {"served_how": "直接送达", "served_to": "何示例"}), ("", "officer2", "file_on_spot", {}), ("", "caseclerk", "confirm_paid", {"paid_amount": 100})])
        return on(record, ordinary(number)[-3:])
    record = people["officer1"].post(API, {"step": "register", "values": lead(chance, number)})["record"]
    if end in ("not_filed", "withdrawn"):
        steps = ordinary(number)[:1 if end == "not_filed" else 2]
        last = ("", "chief", "refuse_filing", {"not_filed_reason": "违法事实不存在。"}) if end == "not_filed" else ("", "chief", "withdraw_case", {"withdrawal_reason": "证据不足。"})
        return on(record, steps + [last])
    wanted = "executing" if end == "urged" else end
    on(record, [item for item in ordinary(number) if ORDER.index(item[0]) <= ORDER.index(wanted)])
    if end == "urged": step(record, "officer1", "urge", {})


def seed(node, count):
    """The cases that are made step by step, by eight connections."""
    people = People(node.port)
    for number in range(OFFICERS):
        values = {"certificate_no": f"12000001{number + 101}", "officer_name": "张示例", "unit_name": "天津市交通运输综合行政执法总队一支队", "domain": "公路路政", "certificate_from": "2025-01-15", "certificate_until": "2029-01-15"}
        people["chief"].post("/api/v1/systems/enforcement/enforcement_officers/records", {"step": "register", "values": values})
    ends = [end for end, share in SPREAD for _ in range(round(share * count / 1000))]
    random.Random(20261122).shuffle(ends)
    ends = (ends + ["archived"] * count)[:count]
    failed = []

    def work(part):
        own, chance = People(node.port), random.Random(part)
        try:
            for number in range(part, count, 8): make(own, chance, number, ends[number])
        except BaseException as error: failed.append(error)
    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    if failed: raise failed[0]


# MARK: Copies

class SQLiteRecords:
    def __init__(self, folder):
        self.db = sqlite3.connect(os.path.join(folder, "records.sqlite"), isolation_level=None)
        self.control = sqlite3.connect(os.path.join(folder, "control.sqlite"))
        self.db.execute("PRAGMA cache_size = -400000")
        self.prefix = ""

    def rows(self, sql): return self.db.execute(sql).fetchall()
    def run(self, sql): self.db.execute(sql)
    def system(self): return self.control.execute("SELECT key, resource FROM system_resources").fetchall()
    def serial(self, column, start): return f"CAST(substr({column}, {start}) AS INTEGER)"
    def padded(self, number, width): return f"printf('%0{width}d', {number})"
    def table(self, name): return name
    def columns(self, table): return [row[1] for row in self.rows(f"PRAGMA table_info({table})")]
    def settle(self, tables):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close(), self.control.close()


class PostgresRecords:
    def __init__(self, server): self.server = server
    def rows(self, sql): return [tuple(line.split("\x1f")) for line in self.server.client("psql", "-d", "postgres", "-X", "-q", "-A", "-t", "-F", "\x1f", "-c", sql, stdout=postgres.subprocess.PIPE).splitlines()]
    def run(self, sql): self.server.sql(sql)
    def system(self): return [(key, int(resource)) for key, resource in self.rows("SELECT key, resource FROM bench_control.system_resources")]
    def serial(self, column, start): return f"CAST(substr({column}, {start}) AS BIGINT)"
    def padded(self, number, width): return f"lpad(CAST({number} AS TEXT), greatest({width}, length(CAST({number} AS TEXT))), '0')"
    def table(self, name): return f"bench_records.{name}"
    def columns(self, table): return [row[0] for row in self.rows(f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'bench_records' AND table_name = '{table.split('.')[-1]}' ORDER BY ordinal_position")]
    def settle(self, tables):
        for table in tables: self.run(f"ANALYZE {table}")


def shifted(db, key, resource):
    """The resource's table, the columns of its fields with their types, and how many records there are."""
    physical, schema, ordinals, next_id = db.rows(f"SELECT physical, schema, ordinals, next_id FROM {db.table('tables')} WHERE resource = {resource}")[0]
    fields = json.loads(schema)["fields"]
    places = ordinals.split("/")[0].split(",") if "/" in ordinals else [str(index + 1) for index in range(len(fields))]
    return db.table(physical), {field["name"]: ("c" + place, field["type"]) for field, place in zip(fields, places)}, int(next_id)


def copy(db, copies):
    """Every case of the seeds with what belongs to it, so many times more."""
    resources = dict(db.system())
    flow = {"steps": "flow_steps", "clocks": "flow_clocks", "records": "flow_records", "documents": "flow_documents"}
    flow = {name: db.table(table) for name, table in flow.items()}
    numbers = {"penalty_cases": ("case_no", "AJ"), "case_payments": ("payment_no", None), "penalty_publicity": ("publicity_no", None)}
    tops = {name: int(db.rows(f"SELECT coalesce(max(id), 0) FROM {flow[name]}")[0][0]) for name in ("steps", "documents")}
    plan, offsets = {}, {}
    for key, (field, prefix) in numbers.items():
        table, columns, next_id = shifted(db, key, resources[key])
        column = columns[field][0]
        sample = db.rows(f"SELECT max({column}) FROM {table}")[0][0]
        prefix = re.match(r"\D*", sample).group(0)
        top = int(db.rows(f"SELECT max({db.serial(column, len(prefix) + 1)}) FROM {table}")[0][0])
        plan[key], offsets[field] = (table, columns, next_id), (prefix, len(sample) - len(prefix), top)
    touched = [flow[name] for name in flow]
    done = ", ".join(f"'{state}'" for state in DONE)
    begun = time.time()
    db.run("BEGIN") if isinstance(db, SQLiteRecords) else None
    for turn in range(1, copies + 1):
        days = f"(CASE WHEN f.state IN ({done}, 'paid', 'ended') THEN {20 + turn * 1000 // copies} ELSE {turn % 8} END)"

        def number(field, column):
            prefix, width, top = offsets[field]
            shifted = f"({db.serial(column, len(prefix) + 1)} + {turn * top})"
            return f"CASE WHEN {column} IS NULL OR {column} = '' THEN {column} ELSE '{prefix}' || {db.padded(shifted, width)} END"
        for key, (table, columns, next_id) in plan.items():
            resource, step = resources[key], (next_id - 1)
            own = {column: (name, type) for name, (column, type) in columns.items()}
            values = []
            for column in db.columns(table):
                name, type = own.get(column, ("", ""))
                value = f"r.{column}"
                if column == "_id": value = f"r._id + {turn * step}"
                elif column == "_seq": value = f"r._seq + {turn * step}"
                elif name in offsets: value = number(name, value)
                elif type == "date": value = f"r.{column} - {days}"
                elif type == "datetime": value = f"r.{column} - {days} * {DAY}"
                elif key == "penalty_cases" and name in ("officer_1", "officer_2"):
                    value = f"CASE WHEN r.{column} IS NULL THEN NULL ELSE '12000001' || CAST(101 + (r._id + {turn * 3 + (name == 'officer_2') * 7}) % {OFFICERS} AS TEXT) END"
                elif name in ("party_unit", "payer_name", "party_name") and type == "string": value = f"r.{column} || '{turn}'"
                values.append(value)
            joined = f"FROM {table} r JOIN {flow['records']} f ON f.resource = {resource} AND f.record = r._id WHERE r._id < {next_id}"
            db.run(f"INSERT INTO {table} ({', '.join(db.columns(table))}) SELECT {', '.join(values)} {joined}")
            for name in ("steps", "clocks", "documents", "records"):
                if name == "documents" and turn % 10: continue
                values, names = [], db.columns(flow[name])
                for column in names:
                    value = f"t.{column}"
                    if column == "record": value += f" + {turn * step}"
                    elif column == "id": value += f" + {turn * tops[name]}"
                    elif column == "step" and name == "documents": value = f"CASE WHEN t.step = 0 THEN 0 ELSE t.step + {turn * tops['steps']} END"
                    elif column == "code": value = f"'{turn}-' || t.code"
                    elif column in ("at", "started_at", "paused_at", "ended_at", "issued_at", "opened_at", "changed_at"): value += f" - {days} * {DAY}"
                    elif column in ("due", "warn_at"): value = f"CASE WHEN t.{column} = 9223372036854775807 THEN t.{column} ELSE t.{column} - {days} * {DAY} END"
                    values.append(value)
                source = f"{flow[name]} t" + ("" if name == "records" else f" JOIN {flow['records']} f ON f.resource = t.resource AND f.record = t.record")
                text = f"INSERT INTO {flow[name]} ({', '.join(names)}) SELECT {', '.join(values)} FROM {source} WHERE t.resource = {resource} AND t.record < {next_id}"
                db.run(text.replace("f.state", "t.state") if name == "records" else text)
    for key, (table, columns, next_id) in plan.items():
        more = copies * (next_id - 1)
        db.run(f"UPDATE {db.table('tables')} SET next_id = next_id + {more}, next_seq = next_seq + {more}, rows = rows + {more} * rows / (next_id - 1) WHERE resource = {resources[key]}")
        field = numbers[key][0]
        db.run(f"UPDATE {db.table('flow_counters')} SET last = last * {copies + 1} WHERE resource = {resources[key]} AND period = ''")
        touched.append(table)
    if isinstance(db, SQLiteRecords): db.run("COMMIT")
    else:
        for name in tops: db.run(f"SELECT setval(pg_get_serial_sequence('{flow[name]}', 'id'), (SELECT max(id) FROM {flow[name]}))")
    count = db.rows(f"SELECT count(*) FROM {plan['penalty_cases'][0]}")[0][0]
    db.settle(touched)
    print(f"{int(count):,} cases with their histories: {copies} copies of each of the seeds in {time.time() - begun:.0f} s", flush=True)


# MARK: Measuring

class Meter:
    def __init__(self, node, server): self.node, self.server = node, server
    def cpu(self): return self.node.cpu() + (self.server.cpu() if self.server else 0)

    def say(self, label, walls, spent, note=""):
        walls = sorted(wall * 1000 for wall in walls)
        at = lambda share: walls[min(len(walls) - 1, int(len(walls) * share))]
        flag = " <" if at(.99) > 50 else ""
        print(f"{label:<58} {at(.5):8.1f} {at(.95):8.1f} {at(.99):8.1f} {spent * 1000 / len(walls):10.1f} {len(walls):6}  {note}{flag}".rstrip(), flush=True)

    def take(self, label, bodies, note=""):
        walls, before = [], self.cpu()
        for body in bodies:
            started = time.perf_counter()
            body()
            walls.append(time.perf_counter() - started)
        self.say(label, walls, self.cpu() - before, note)


def quiet(meter, node):
    """Waits until the clocks that ran out in the copies are dealt with, and tells what that took."""
    before, started, last = meter.cpu(), time.time(), meter.cpu()
    while True:
        time.sleep(4)
        now = meter.cpu()
        if now - last < 0.4: break
        last = now
        if time.time() - started > 900: print("the clocks were not dealt with in 900 s"); break
    print(f"after the start, with the clocks that ran out meanwhile: {meter.cpu() - before:.1f} CPU-s in {time.time() - started:.0f} s", flush=True)


def pages(meter, node, times):
    clerk = Person(node.port, "caseclerk")
    text = clerk.get(CASES).decode()
    meter.take("list, first page", [lambda: clerk.get(CASES)] * times)
    saved = [(int(index), html.unescape(title)) for index, title in re.findall(r'href="\?[^"]*saved=(\d+)"[^>]*>([^<]*)<', text)]
    for index, title in saved: meter.take(f"list, saved filter: {title}", [lambda: clerk.get(f"{CASES}?saved={index}")] * (times // 2))
    for label, query in [
        ("state archived", {"f_state": "archived"}), ("state decided", {"f_state": "decided"}), ("an officer's", {"f_officer_1": "12000001105"}), ("source and field", {"f_source": "部门移送", "f_domain": "水路运政"}),
        ("filed from a day on", {"f_filed_on": "2026-06-01"}), ("legally not agreed (none)", {"f_legal_result": "不同意"}), ("summary procedure, another organisation (none)", {"f_procedure": "简易程序", "f_party_kind": "其他组织"}),
    ]: meter.take(f"list, filter fields: {label}", [lambda: clerk.get(f"{CASES}?{urllib.parse.urlencode(query)}")] * (times // 2))
    for label, word in [("frequent", "超限"), ("rare", "建筑物"), ("not there", "航道养护")]:
        meter.take(f"list, word in the title: {label}", [lambda: clerk.get(f"{CASES}?q={urllib.parse.quote(word)}")] * (times // 2))
    next_page = re.compile(r'href="\?([^"]*cursor=[^"]*)"')
    state = {"path": CASES}

    def on():
        found = next_page.search(clerk.get(state["path"]).decode())
        state["path"] = CASES + "?" + html.unescape(found.group(1))
    for _ in range(450): on()
    meter.take("list, pages 451 to 500", [on] * 50)
    meter.take("board", [lambda: clerk.get(CASES + "/board")] * (times // 2))
    ids = random.Random(1).sample(range(1, meter.cases), times)
    meter.take("a record's page", [lambda id=id: clerk.get(f"{CASES}/{id}") for id in ids])
    for login in ("officer1", "chief", "caseclerk"):
        person = Person(node.port, login)
        meter.take(f"tasks of {login}", [lambda: person.get("/systems")] * (times // 2))


def figures(meter, node, times):
    chief = Person(node.port, "chief")
    started, before = time.perf_counter(), meter.cpu()
    chief.get(CASES + "/dashboard")
    meter.say("figures, the first time", [time.perf_counter() - started], meter.cpu() - before)
    walls, before = [], 0
    for number in range(5):
        # Each after a step: what was remembered holds no longer.
        Person(node.port, "officer1").post(API, {"step": "register", "values": lead(random.Random(number), 1)})
        at, started = meter.cpu(), time.perf_counter()
        chief.get(CASES + "/dashboard")
        walls.append(time.perf_counter() - started)
        before += meter.cpu() - at
    meter.say("figures, after a step", walls, before)
    meter.take("figures, again", [lambda: chief.get(CASES + "/dashboard")] * 10)


def steps(meter, node, times):
    people, chance = People(node.port), random.Random(7)
    records = []
    leads = [lead(chance, number * 3 + 1) for number in range(times)]
    meter.take("step: register (number, two clocks)", [lambda values=values: records.append(people["officer1"].post(API, {"step": "register", "values": values})["record"]) for values in leads])
    notes = {"submit_filing": "fields, guard", "file": "document, clocks, notice", "submit_review": "document, guard", "decide": "number, document, clocks, created record", "serve": "document, clocks", "open_payment": "created record, clock"}
    for place, (_, login, name, _) in enumerate(ordinary(1)):
        bodies = [lambda record=record, number=number: people[login].post(f"{API}/{record}/steps", {"step": name, "values": ordinary(number)[place][3], "note": "同意"}) for number, record in enumerate(records, 1)]
        meter.take(f"step: {name}" + (f" ({notes[name]})" if name in notes else ""), bodies)


def together(meter, node, seconds):
    """Eight officers at once: four lists to two records, a task page and two steps."""
    walls, lock, failed = {}, threading.Lock(), []
    end = time.time() + seconds

    def work(part):
        try:
            person, chance, number = Person(node.port, ["officer1", "officer2"][part % 2]), random.Random(part), 0
            while time.time() < end:
                number += 1
                kind = ["list", "record", "list", "step", "list", "tasks", "record", "list", "step"][number % 9]
                started = time.perf_counter()
                if kind == "list": person.get(CASES + chance.choice(["", "?saved=0", "?saved=3", "?f_state=archived", "?q=" + urllib.parse.quote("超限")]))
                elif kind == "record": person.get(f"{CASES}/{chance.randrange(1, meter.cases)}")
                elif kind == "tasks": person.get("/systems")
                else: person.post(API, {"step": "register", "values": lead(chance, number * 3 + 1)})
                with lock: walls.setdefault(kind, []).append(time.perf_counter() - started)
        except BaseException as error: failed.append(error)
    before = meter.cpu()
    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    if failed: raise failed[0]
    count, spent = sum(map(len, walls.values())), meter.cpu() - before
    print(f"eight officers at once, {seconds} s: {count / seconds:.0f} requests a second, {spent * 1000 / count:.1f} ms CPU each", flush=True)
    for kind in sorted(walls): meter.say(f"  {kind}", walls[kind], 0, "(CPU above)")


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("binary")
    asked.add_argument("--store", default="sqlite", choices=["sqlite", "postgresql"])
    asked.add_argument("--cases", type=int, default=200_000)
    asked.add_argument("--seeds", type=int, default=1000)
    asked.add_argument("--times", type=int, default=100)
    asked.add_argument("--only", default="pages,figures,steps,together")
    asked.add_argument("--keep", help="a folder for the data, used again where it is there (SQLite)")
    given = asked.parse_args()
    os.environ.setdefault("TONGQU_PACKS", f"{ROOT}/Packs:{ROOT}/Systems")
    folder = given.keep or tempfile.mkdtemp(prefix="tongqu-cases-")
    node = server = None
    try:
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        data = os.path.join(folder, "node")
        if given.store == "postgresql": server = Server(folder)
        store = server.address if server else "sqlite"
        start = lambda: Node(os.path.abspath(given.binary), data, store)
        print(f"{time.strftime('%Y-%m-%d %H:%M')} · {os.cpu_count()} cores · load {os.getloadavg()[0]:.1f} · {given.store}", flush=True)
        if not os.path.exists(os.path.join(folder, "made")):
            node = start()
            meter = Meter(node, server)
            before, started = meter.cpu(), time.time()
            seed(node, given.seeds)
            print(f"{given.seeds:,} cases step by step by eight connections: {meter.cpu() - before:.0f} CPU-s in {time.time() - started:.0f} s", flush=True)
            node.stop()
            copy(PostgresRecords(server) if server else SQLiteRecords(data), given.cases // given.seeds - 1)
            if not server: open(os.path.join(folder, "made"), "w").close()
        node = start()
        meter = Meter(node, server)
        # Among these every number is a case's: copies keep the gaps of the seeds at their end.
        meter.cases = given.cases * 7 // 10
        quiet(meter, node)
        print(f"{'milliseconds':<58} {'p50':>8} {'p95':>8} {'p99':>8} {'CPU':>10} {'times':>6}", flush=True)
        if "pages" in given.only: pages(meter, node, given.times)
        if "figures" in given.only: figures(meter, node, given.times)
        if "steps" in given.only: steps(meter, node, max(20, given.times // 2))
        if "together" in given.only: together(meter, node, 15)
        if os.path.exists(os.path.join(data, "records.sqlite")): print(f"records.sqlite: {os.path.getsize(os.path.join(data, 'records.sqlite')) >> 20:,} MiB, peak memory {node.peak():.0f} MB")
    except BaseException:
        if node and os.path.exists(os.path.join(folder, "node.log")): sys.stderr.write("the node said: " + open(os.path.join(folder, "node.log")).read()[-3000:] + "\n")
        raise
    finally:
        if node: node.stop()
        if server: server.stop()
        if not given.keep: shutil.rmtree(folder)


if __name__ == "__main__":
    main()
