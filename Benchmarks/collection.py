"""What collecting a table costs the node: a million rows of PostgreSQL by watermark, then what is new.

usage: collection.py BINARY PORT [PYTHON]     (a PostgreSQL on 127.0.0.1:PORT, account tongqu, password tongqu-test, database postgres: scripts/test-servers.sh;
PYTHON: one that has dlt[sql_database,duckdb], psycopg2-binary and pyarrow, to set beside it the same table pulled into DuckDB, unchecked)
"""
import json, os, resource, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Tests", "Crash"))
from crash import Node

ROWS = 1_000_000


def sql(port, text):
    environment = dict(os.environ, PGPASSWORD="tongqu-test")
    subprocess.run(["psql", "-h", "127.0.0.1", "-p", port, "-U", "tongqu", "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-c", text], env=environment, check=True)


def cpu(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(process):
    return next(int(line.split()[1]) for line in open(f"/proc/{process.pid}/status") if line.startswith("VmHWM")) / 1024


PEER = '''
import dlt, sys
from dlt.sources.sql_database import sql_table
folder, port = sys.argv[1:]
pipeline = dlt.pipeline("bench", destination=dlt.destinations.duckdb(folder + "/bench.duckdb"), dataset_name="peer", pipelines_dir=folder + "/state")
table = sql_table(f"postgresql+psycopg2://tongqu:tongqu-test@127.0.0.1:{port}/postgres", table="bench", incremental=dlt.sources.incremental("updated_at"), primary_key="id", write_disposition="merge", backend="pyarrow")
pipeline.run(table)
'''


def peer(python, port):
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    with tempfile.TemporaryDirectory(prefix="tongqu-peer-") as folder:
        subprocess.run([python, "-c", PEER, folder, port], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{'dlt (its arrow way) into DuckDB, unchecked':55} {spent:6.2f} CPU-s {ROWS / spent:12,.0f} rows/CPU-s  {time.time() - started:5.1f} s")


def main(binary, port, python=None):
    sql(port, f"""DROP TABLE IF EXISTS bench; CREATE TABLE bench AS SELECT i AS id, '冀A' || (10000 + i % 90000) AS plate, i % 5 AS kind, '示范运输' || i % 1000 || '号企业' AS owner,
        (i % 80) AS seats, 114 + (i % 1000) / 1000.0 AS longitude, 38 + (i % 1000) / 1000.0 AS latitude, timestamptz '2026-01-01' + i * interval '1 second' AS updated_at FROM generate_series(1, {ROWS}) i;
        CREATE INDEX ON bench (updated_at)""")
    folder = tempfile.mkdtemp(prefix="tongqu-bench-")
    node = Node(binary, os.path.join(folder, "n"), demo=True)
    try:
        session = node.sign_in("steward")
        organisations = json.loads(node.ask("GET", "/api/v1/organisations", headers=session)[1])["organisations"]
        provider = next(o["id"] for o in organisations if "公路" in o["name"])
        types = {"id": "integer", "plate": "string", "kind": "integer", "owner": "string", "seats": "integer", "longitude": "number", "latitude": "number", "updated_at": "datetime"}
        schema = {"fields": [{"name": name, "type": kind} for name, kind in types.items()], "primaryKey": ["id"]}
        body = {"name": "归集基准", "category": "301003", "provider": provider, "summary": "归集基准所用的虚构车辆记录。", "schema": schema}
        made = json.loads(node.ask("POST", "/api/v1/resources", json.dumps(body), session)[1])
        source = {"name": "归集基准", "resource": made["code"], "kind": "postgresql", "mode": "upsert", "schedule": "manual", "secret": "tongqu-test",
                  "settings": {"host": "127.0.0.1", "port": port, "database": "postgres", "user": "tongqu", "table": "bench", "watermark": "updated_at"}}
        number = json.loads(node.ask("POST", "/api/v1/sources", json.dumps(source), session)[1])["id"]

        def run(label, rows):
            before, started = cpu(node.process), time.time()
            job = json.loads(node.ask("POST", f"/api/v1/sources/{number}/runs", headers=session)[1])["job"]
            while json.loads(node.ask("GET", f"/api/v1/jobs/{job}", headers=session)[1])["state"] in ("queued", "running"):
                time.sleep(0.1)
            last = json.loads(node.ask("GET", f"/api/v1/sources/{number}", headers=session)[1])["runs"][0]
            assert last["state"] == "done" and last["rows"] == rows, last
            spent = cpu(node.process) - before
            print(f"{label:55} {spent:6.2f} CPU-s {rows / max(spent, 0.01):12,.0f} rows/CPU-s  {time.time() - started:5.1f} s, peak {peak(node.process):.0f} MB")

        run("a million rows, checked, loaded, with evidence", ROWS)
        sql(port, f"UPDATE bench SET seats = 7, updated_at = timestamptz '2027-01-01' + id * interval '1 second' WHERE id <= 1000")
        if python: peer(python, port)
        run("a thousand that changed", 1001)
    finally:
        node.process.kill()
        shutil.rmtree(folder)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.devnull, "w") as sink:
        subprocess.run(["psql", "-h", "127.0.0.1", "-p", port, "-U", "tongqu", "-d", "postgres", "-c", "COPY bench TO STDOUT CSV"], env=dict(os.environ, PGPASSWORD="tongqu-test"), stdout=sink, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{'psql fetching the same, nothing done with it':55} {spent:6.2f} CPU-s")


if __name__ == "__main__":
    main(*sys.argv[1:4])
