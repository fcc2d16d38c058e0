"""Steps of a flow while the node is stopped with kill -9: what was acknowledged is there once and whole, and numbers are never given twice."""
import collections, http.client, json, os, signal, threading, time, urllib.parse

PACK = """
pack: crash-steps
version: 1
title: {zh: 中断测试, en: Steps that are interrupted}
roles: [{key: crash_clerk, title: {zh: 经办, en: clerk}}]
demonstration:
  accounts: [{login: crasher, name: 经办人, organisation: tianjin-roads, role: crash_clerk}]
resources:
  - key: crash_papers
    name: 中断测试单
    storage: records
    schema:
      primaryKey: [number]
      fields:
        - {name: number, title: 编号, type: string, constraints: {required: true}}
        - {name: mark, title: 标记, type: string, "tongqu:index": true, constraints: {required: true}}
        - {name: amount, title: 数额, type: number, "tongqu:scale": 2}
        - {name: visit, title: 回访, type: string}
        - {name: state, title: 状态, type: string}
    numbers: [{key: paper, format: "ZD{serial:6}", per: ever}, {key: form, format: "表〔{year}〕{serial}号"}]
    documents: [{key: form, title: {zh: 审批表, en: form}, template: documents/form.html, number: form}]
    flow:
      states:
        - {key: begun, title: {zh: 已登记, en: begun}}
        - {key: approved, title: {zh: 已批准, en: approved}}
        - {key: over, title: {zh: 已办结, en: over}, kind: done}
      steps:
        - {key: begin, title: {zh: 登记, en: begin}, begin: true, to: begun, roles: [crash_clerk], fields: [mark!], set: {number: $number(paper)}, start: [approval]}
        - {key: weigh, title: {zh: 补充, en: add}, from: [begun], roles: [crash_clerk], kind: side, fields: [amount!]}
        - {key: approve, title: {zh: 批准, en: approve}, from: [begun], to: approved, roles: [crash_clerk], stop: [approval], start: [finishing], issue: [form], create: {resource: crash_visits, step: open, link: visit, values: {paper: =number}}}
        - {key: finish, title: {zh: 办结, en: finish}, from: [approved], to: over, roles: [crash_clerk], note: required}
      clocks:
        - {key: approval, title: {zh: 批准时限, en: to approve}, days: 5, unit: working_days}
        - {key: finishing, title: {zh: 办结时限, en: to finish}, days: 20, unit: days}
    grants: [{role: crash_clerk, may: [read, act]}]
  - key: crash_visits
    name: 中断测试回访
    storage: records
    schema:
      primaryKey: [visit]
      fields:
        - {name: visit, title: 编号, type: string, constraints: {required: true}}
        - {name: paper, title: 单号, type: string, "tongqu:index": true}
        - {name: state, title: 状态, type: string}
    numbers: [{key: visit, format: "HF{serial:6}", per: ever}]
    flow:
      states: [{key: open, title: {zh: 待回访, en: open}}, {key: over, title: {zh: 已回访, en: over}, kind: done}]
      steps:
        - {key: open, title: {zh: 建立, en: open}, begin: true, to: open, roles: [crash_clerk], fields: [paper!], set: {visit: $number(visit)}, start: [visiting]}
        - {key: end, title: {zh: 回访, en: end}, from: [open], to: over, roles: [crash_clerk]}
      clocks: [{key: visiting, title: {zh: 回访时限, en: to visit}, days: 3, unit: working_days}]
    grants: [{role: crash_clerk, may: [read, act]}]
"""
PAPERS = "/api/v1/systems/crash-steps/crash_papers/records"
WAY = [("weigh", {"amount": "12.5"}), ("approve", {}), ("finish", {})]
STATE = {"begin": "begun", "weigh": "begun", "approve": "approved", "finish": "over"}
CLIENTS = 8


def write_pack(folder):
    """The pack that the demonstration takes in beside its own."""
    place = os.path.join(folder, "packs", "crash-steps", "documents")
    os.makedirs(place)
    with open(os.path.join(place, "..", "pack.yaml"), "w") as out: out.write(PACK)
    with open(os.path.join(place, "form.html"), "w") as out: out.write("<h1>{{title}}</h1><p>{{number}} {{mark}} {{amount}}</p><ul>{{#steps}}<li>{{title}} {{at}}</li>{{/steps}}</ul>")
    return os.path.join(folder, "packs")


class Client(threading.Thread):
    """Takes papers along their way, one after the other, until the node is gone; remembers what was acknowledged and what was asked last."""

    def __init__(self, node, session, name):
        super().__init__()
        self.port, self.session, self.name = node.port, session, name
        self.done, self.asked, self.refused = {}, None, []

    def ask(self, connection, path, body):
        connection.request("POST", path, json.dumps(body), self.session)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status >= 500: raise OSError(answer.status)
        if answer.status >= 300: self.refused.append((path, body, answer.status, data[:300]))
        return json.loads(data)

    def run(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            for number in range(1_000_000):
                mark = f"{self.name}-{number}"
                self.asked = (mark, "begin")
                record = self.ask(connection, PAPERS, {"step": "begin", "values": {"mark": mark}})["record"]
                self.done[mark] = (record, ["begin"])
                for step, values in WAY:
                    self.asked = (mark, step)
                    self.ask(connection, f"{PAPERS}/{record}/steps", {"step": step, "values": values, "note": "办理"})
                    self.done[mark][1].append(step)
        except (OSError, http.client.HTTPException, ValueError):
            return


def rows(node, session, code):
    """Every row of a resource, page by page."""
    found, cursor = [], ""
    while True:
        page = json.loads(node.ask("GET", f"/api/v1/resources/{code}/records?limit=1000{cursor}", headers=session)[1])
        found += page["records"]
        if not page["next"]: return found
        cursor = "&cursor=" + urllib.parse.quote(page["next"])


def check(node, session, codes, clients):
    """Compares what the clients of a round were told with what is there."""
    papers, visits = (rows(node, session, codes[key]) for key in ("crash_papers", "crash_visits"))
    for list, name in ((papers, "number"), (visits, "visit")):
        numbers = sorted(row[name] for row in list)
        assert len(set(numbers)) == len(numbers), f"a number was given twice: {name}"
        # A step that did not happen gave no number either.
        assert not numbers or int(numbers[-1][2:]) == len(numbers), (numbers[-1], len(numbers))
    marks, of = collections.Counter(row["mark"] for row in papers), {row["mark"]: row for row in papers}
    visited = collections.Counter(row["paper"] for row in visits)
    forms, taken = [], 0
    for client in clients:
        assert not client.refused, client.refused[:3]
        wanted = dict(client.done)
        begun = client.asked if client.asked and client.asked[0] not in wanted else None
        if begun:
            assert marks[begun[0]] <= 1, f"{begun[0]} was made twice"
            if marks[begun[0]]: wanted[begun[0]] = (of[begun[0]]["_id"], [])
        for mark, (record, steps) in wanted.items():
            assert marks[mark] == 1, f"{mark}: {marks[mark]} records"
            assert of[mark]["_id"] == record, (mark, record, of[mark])
            shown = json.loads(node.ask("GET", f"{PAPERS}/{record}", headers=session)[1])
            there = [line["step"] for line in shown["history"]]
            # What was asked last and not answered may have happened or not.
            open_end = steps + [client.asked[1]] if client.asked[0] == mark and client.asked[1] not in steps else steps
            assert there in (steps, open_end), f"{mark}: {there}, acknowledged {steps}"
            taken += len(there)
            state = STATE[there[-1]]
            assert shown["state"] == state and shown["values"]["state"] == state, (mark, shown)
            assert shown["values"]["amount"] == ("12.50" if "weigh" in there else ""), (mark, shown["values"])
            clocks = {clock["clock"]: clock["state"] for clock in shown["clocks"]}
            isApproved = "approve" in there
            wanted_clocks = {"approval": "stopped" if isApproved else "running"} | ({"finishing": "stopped" if state == "over" else "running"} if isApproved else {})
            assert clocks == wanted_clocks, (mark, clocks, wanted_clocks)
            assert [document["document"] for document in shown["documents"]] == ["form"] * isApproved, (mark, shown["documents"])
            forms += [document["number"] for document in shown["documents"]]
            assert visited[shown["values"]["number"]] == int(isApproved) and bool(shown["values"]["visit"]) == isApproved, (mark, shown["values"])
    return forms, taken


def stepped(start, node, chance, kills=8):
    """Eight clients take steps while the node is stopped; every round is looked at after the next start. `start` starts the node again."""
    session = node.sign_in("crasher")
    systems = json.loads(node.ask("GET", "/api/v1/systems", headers=session)[1])["systems"]
    codes = {item["key"]: item["code"].replace("/", "-") for system in systems for item in system["resources"]}
    forms, taken, open_ends = [], 0, 0
    for kill in range(kills):
        clients = [Client(node, session, f"{kill}-{number}") for number in range(CLIENTS)]
        for client in clients: client.start()
        time.sleep(0.4 + chance.random())
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        for client in clients: client.join()
        node = start()
        more, steps = check(node, session, codes, clients)
        forms += more
        taken += steps
        open_ends += steps - sum(len(steps) for client in clients for _, steps in client.done.values())
        assert len(set(forms)) == len(forms), "a document's number was given twice"
    assert taken > 20 * kills, f"{taken} steps only"
    print(f"ok steps_killed_{kills}_times_each_once_and_whole ({taken} steps, {open_ends} done and not acknowledged, {len(forms)} documents)")
    return node
