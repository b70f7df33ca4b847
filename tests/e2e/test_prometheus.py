# SPDX-License-Identifier: PostgreSQL
"""Prometheus itself: what promtool says, rules, dashboard, a real scrape."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from harness import TOP, followed, lablib, until

RULES = os.path.join(TOP, "contrib", "prometheus", "pgsluice.rules.yml")
RULE_TESTS = os.path.join(TOP, "contrib", "prometheus",
                          "pgsluice.rules.test.yml")
SAMPLE = os.path.join(TOP, "contrib", "prometheus", "prometheus.yml")
DASHBOARD = os.path.join(TOP, "contrib", "grafana", "pgsluice.json")
FAMILIES = os.path.join(TOP, "src", "tbl", "metric_families.h")

# Every kind of thing that has numbers: feed, Redis, catalogs of partitions, an
# experiment.
CONF = """
auth = "trust"
admin_users = {"app"}
trace_exemplars = true
feed_user = "feeder"
layout_user = "postgres"
redis_host = "127.0.0.1"
redis_port = $REDIS
backend "main" {
    conninfo = "host=127.0.0.1 port=$FPG dbname=postgres" feed = true
}
database "app" { backend = "main" }
table "m" { variant "monthly" {
    kind = monthly backend = "main" relation = "m"
} }
table "e" {
    variant "one" { kind = plain backend = "main" relation = "e1" }
    variant "two" { kind = plain backend = "main" relation = "e2" }
}
experiment "try" { table = "e" arms = {"one:50", "two:50"} unit = "statement" }
cache "t" { tables = {"t"} ttl = 60s consistency = "strong" }
"""

TRACE = "5bd66ef5095369c7b0d1f8f4bd33716a"
TRACED = ("SELECT v FROM t WHERE id = 2 /*traceparent='00-" + TRACE +
          "-c532cb4098ac3dd2-01'*/")


@pytest.fixture(scope="module")
def fed(lab):
    """A cluster that is followed, with a table."""
    cluster = followed(lab, "pgprom", {})
    cluster.psql("CREATE TABLE t (id int PRIMARY KEY, v text);"
                 "INSERT INTO t SELECT g, 'v' || g "
                 "FROM generate_series(1, 100) g;"
                 "CREATE PUBLICATION pgsluice FOR TABLE t;"
                 "CREATE TABLE e1 (id int); CREATE TABLE e2 (id int);"
                 "CREATE TABLE m (id int, at timestamptz NOT NULL) "
                 "PARTITION BY RANGE (at);"
                 "CREATE TABLE m_2099_01 PARTITION OF m FOR VALUES "
                 "FROM ('2099-01-01 00:00+00') TO ('2099-02-01 00:00+00');"
                 "GRANT SELECT ON t, e1, e2 TO app, feeder")
    yield cluster
    cluster.stop()


@pytest.fixture
def sluice(redis, fed, pgsluice):
    made = pgsluice(CONF, FPG=fed.port)
    until(lambda: made.metric("pgsluice_feed_rules_open") == 1)
    until(made.on_redis)
    until(lambda: made.metric("pgsluice_layout_ok") == 1)
    return made


def work(sluice):
    """Some of everything that has a reason or an outcome."""
    with sluice.wire() as wire:
        for _ in range(3):
            wire.query("SELECT v FROM t WHERE id = 1")
            wire.query(TRACED)
            wire.query("SELECT now()")
            wire.query("SELECT id FROM e WHERE id = 1")
        wire.ask(wire.query_message("SELECT 1 / 0"))


def promtool(*args, text=None, cwd=None):
    r = subprocess.run([lablib.program("promtool"), *args], input=text,
                       text=True, capture_output=True, cwd=cwd, check=False,
                       timeout=60)
    return r.returncode, r.stdout + r.stderr


# ---- what it says of files ------------------------------------------------

def test_rules():
    status, said = promtool("check", "rules", RULES)
    assert status == 0 and "SUCCESS" in said, said
    assert promtool("check", "config", SAMPLE)[0] == 0
    status, said = promtool("test", "rules", os.path.basename(RULE_TESTS),
                            cwd=os.path.dirname(RULE_TESTS))
    assert status == 0, said


def test_every_alert_is_tested():
    with open(RULES, encoding="utf-8") as f:
        alerts = re.findall(r"^ +- alert: (\w+)$", f.read(), re.M)
    with open(RULE_TESTS, encoding="utf-8") as f:
        fired = set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n", f.read()))
    assert len(alerts) > 10 and set(alerts) == fired


def test_metrics_are_clean(sluice):
    """Names, types and helps as Prometheus prescribes."""
    work(sluice)
    status, text = sluice.http("/metrics")
    assert status == 200
    assert promtool("check", "metrics", text=text) == (0, "")


# ---- what rules and dashboard name exists -----------------------------------

def expressions():
    """(where, PromQL) of rules and dashboard."""
    with open(RULES, encoding="utf-8") as f:
        found = [(RULES, x) for x in re.findall(r"^ +expr: (.*)$", f.read(),
                                                re.M)]
    with open(DASHBOARD, encoding="utf-8") as f:
        board = json.load(f)
    for panel in board["panels"]:
        found += [(panel["title"], t["expr"])
                  for t in panel.get("targets", [])]
    found += [(a["name"], a["expr"]) for a in board["annotations"]["list"]]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found.append((variable["name"], re.match(
                r"label_values\((.*), \w+\)", variable["definition"])[1]))
    return found


def recorded():
    with open(RULES, encoding="utf-8") as f:
        return re.findall(r"^ +- record: (\S+)$", f.read(), re.M)


def series_names(text):
    """Names of series by the TYPE lines of a page."""
    names = {"up"}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        names |= {name + s for s in ("_bucket", "_sum", "_count")} \
            if kind == "histogram" else {name}
    return names


def labels_of():
    """{metric: labels} of families; counters have none."""
    with open(FAMILIES, encoding="utf-8") as f:
        rows = re.findall(r'^FAMILY\(\w+, "(\w+)", "\w+", "([\w, ]*)"',
                          f.read(), re.M)
    return {name: set(filter(None, labels.split(", ")))
            for name, labels in rows}


def test_rules_and_dashboard_name_what_exists(sluice):
    """Series, their labels, and values of labels that come from tables."""
    work(sluice)
    text = sluice.http("/metrics")[1]
    known = series_names(text) | set(recorded())
    labels = labels_of()
    values = {"l2"} | set(
        re.findall(r'(?:reason|state|outcome)="(\w+)"', text))
    for where, expr in expressions():
        plain = re.sub(r'"[^"]*"', '""', expr)
        names = re.findall(r"\b(?:(?:pgsluice|process)_\w+|instance\w*:"
                           r"[\w:]+|up)\b", plain)
        assert names, (where, expr)
        assert not set(names) - known, (where, set(names) - known)
        for name, inside in re.findall(r"(\w+)\{([^}]*)\}", expr):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            mine = labels.get(name, labels.get(base, set())) | \
                {"job", "instance", "le"}
            for label, value in re.findall(r'(\w+)=~?"([^"]*)"', inside):
                assert label in mine, (where, name, label)
                if label in ("reason", "state", "outcome"):
                    assert set(value.split("|")) <= values, (where, value)


# ---- a real one ----------------------------------------------------------------

class Prometheus(lablib.Service):
    """Debian's Prometheus, with the rules, scraping what it is given."""

    def __init__(self, lab, target):
        super().__init__(lab, "prometheus")
        self.port = lablib.free_port()
        self.folder = os.path.join(lab.work, "prometheus")
        os.makedirs(self.folder)
        shutil.copy(RULES, self.folder)
        with open(SAMPLE, encoding="utf-8") as f:
            text = f.read()
        text = text.replace("15s", "500ms")
        text, n = re.subn(r'\["127\.0\.0\.1:\d+"\]',
                          f'["127.0.0.1:{target}"]', text)
        assert n == 1
        with open(os.path.join(self.folder, "prometheus.yml"), "w",
                  encoding="utf-8") as f:
            f.write(text)

    def command(self):
        return [lablib.program("prometheus"),
                f"--config.file={self.folder}/prometheus.yml",
                f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--enable-feature=exemplar-storage"]

    def is_ready(self):
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as r:
                return r.status == 200
        except OSError:
            return False

    def api(self, path, **params):
        url = (f"http://127.0.0.1:{self.port}/api/v1/{path}?" +
               urllib.parse.urlencode(params))
        with urllib.request.urlopen(url, timeout=10) as r:
            answer = json.load(r)
        assert answer["status"] == "success"
        return answer["data"]

    def query(self, expr):
        """[(labels, value)]"""
        return [(x["metric"], float(x["value"][1]))
                for x in self.api("query", query=expr)["result"]]


@pytest.fixture
def prometheus(lab, sluice):
    made = Prometheus(lab, sluice.http_port).start()
    yield made
    made.stop()
    lab.services.remove(made)
    lablib.release_port(made.port)
    shutil.rmtree(made.folder)


def filled(expr):
    """An expression of the dashboard as Grafana would ask it."""
    return re.sub(r"\$(job|instance|route)\b", ".*", expr).replace(
        "$__rate_interval", "1m")


def test_real_prometheus(sluice, prometheus):
    work(sluice)

    def scraped():
        return prometheus.query("up") == [(
            {"__name__": "up", "job": "pgsluice",
             "instance": f"127.0.0.1:{sluice.http_port}"}, 1.0)]
    until(scraped, 20)
    target, = prometheus.api("targets", state="active")["activeTargets"]
    assert target["health"] == "up" and target["lastError"] == ""
    # It has asked for OpenMetrics, and got what it holds.
    queries = sluice.count("queries")
    until(lambda: [v for _, v in prometheus.query("pgsluice_queries_total")] ==
          [queries])
    meta = prometheus.api("targets/metadata",
                          metric="pgsluice_query_duration_seconds")
    assert [(m["type"], m["unit"]) for m in meta] == [("histogram", "seconds")]
    (labels, errors), = prometheus.query("pgsluice_query_errors_total")
    assert errors == 1 and labels["job"] == "pgsluice"
    hits = prometheus.query('sum(pgsluice_query_duration_seconds_count'
                            '{outcome="l1",route="t"})')
    assert hits == [({}, sluice.count("cache_hits_l1"))]
    # Exemplars have come along.
    found = prometheus.api(
        "query_exemplars", query="pgsluice_query_duration_seconds_bucket",
        start="2000-01-01T00:00:00Z", end="2100-01-01T00:00:00Z")
    traces = {e["labels"]["trace_id"] for s in found for e in s["exemplars"]}
    assert traces == {TRACE}
    # Rules are there and can be evaluated; nothing fires.
    groups = {g["name"]: g["rules"]
              for g in prometheus.api("rules")["groups"]}
    assert len(groups["pgsluice_recorded"]) == len(recorded())
    until(lambda: all(r["health"] == "ok" for g in prometheus.api("rules")[
        "groups"] for r in g["rules"]))
    assert not prometheus.query('ALERTS{alertstate="firing",alertname!='
                                '"PgsluiceErrorRatio"}')
    # So can every expression of the dashboard.
    for _, expr in expressions():
        prometheus.query(filled(expr))


def test_real_prometheus_sees_the_end(sluice, prometheus):
    until(lambda: [v for _, v in prometheus.query("up")] == [1.0], 20)
    sluice.stop()
    until(lambda: [v for _, v in prometheus.query("up")] == [0.0])
    until(lambda: {m["alertname"] for m, _ in prometheus.query(
        "ALERTS")} == {"PgsluiceDown"})


# ---- how many series -------------------------------------------------------------

ROUTES, BACKENDS = 10, 3
ARMS = {"r0": ("plain", "copy"), "r1": ("plain", "copy", "more")}


def many_routes(pg, db):
    """A configuration of so many routed tables over so many backends, two of
    them with experiments."""
    text = ['auth = "trust"', 'admin_users = {"app"}', "workers = 2",
            "revocation_bound = 0", "layout_interval = 0"]
    text += [f'backend "b{i}" {{ conninfo = "host=127.0.0.1 port={pg.port} '
             f'dbname={db}" }}' for i in range(BACKENDS)]
    text += ['database "app" { backend = "b0" }']
    for i in range(ROUTES):
        variants = " ".join(
            f'variant "{arm}" {{ kind = plain backend = "b{i % BACKENDS}" '
            f'relation = "r{i}" }}' for arm in ARMS.get(f"r{i}", ("plain",)))
        text += [f'table "r{i}" {{ {variants} }}',
                 f'cache "r{i}" {{ tables = {{"r{i}"}} ttl = 60s }}']
    text += [f'experiment "x {table}" {{ table = "{table}" unit = "statement" '
             "arms = {" + ", ".join(f'"{arm}:1"' for arm in arms) + "} }"
             for table, arms in ARMS.items()]
    return "\n".join(text)


def test_series_are_bounded(pg, db, pgsluice):
    """By the configuration, whatever clients say: statements, names,
    databases, applications."""
    with pg.connect(db, user="app") as conn:
        for i in range(ROUTES):
            conn.execute(f"CREATE TABLE r{i} (id int PRIMARY KEY, v text)")
    sluice = pgsluice(many_routes(pg, db))

    def use(n):
        with sluice.wire() as wire:
            for i in range(ROUTES):
                for k in range(n):
                    for _ in range(5): # so that each arm has hits
                        wire.query(f"SELECT v AS c{k} FROM r{i} "
                                   f"WHERE id = {k}")
                    wire.query(f"SELECT v, now() AS c{k} FROM r{i}")
                    wire.query(f"SELECT 1 AS c{k}")

    use(60)
    until(lambda: sluice.count("queries") == ROUTES * 60 * 7)
    first = set(sluice.metrics())
    use(90)
    for name in ("nobody", "nothing"):
        with contextlib.suppress(Exception):
            sluice.connect(dbname=name, application_name=name * 5)
    # What is said of arms when enough is known of them may have come.
    late = re.compile("pgsluice_experiment_arm_(ratio|missing_statements)")
    assert {k for k in set(sluice.metrics()) - first
            if not late.match(k)} == set()
    # A route has a histogram for each outcome and variant: 19 buckets, sum,
    # count. Arms that no feed follows are not cached.
    for i in range(ROUTES):
        assert len([k for k in first if f'route="r{i}"' in k]) == \
            (3 + len(ARMS.get(f"r{i}", "1")) - 1) * 21
    latency = len([k for k in first if "query_duration" in k])
    trials = len([k for k in first if "_experiment_" in k])
    others = len(first) - latency - trials
    assert latency == (ROUTES * 3 + 3) * 21 + 21
    assert trials < 5 * 50 and others < 300, (trials, others)
