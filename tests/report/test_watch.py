"""The report of a run that goes on: as `arena report` writes it, newest first, and for nobody but this machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from mnistarena.report import watch
from mnistarena.report.server import ReportServer
from mnistarena.report.watch import Watched
from mnistarena.report.write import write_report

from ..helpers import wait_for
from .synthetic import build_run

MODEL = {"accuracy": 0.9, "spread": 0.01, "seconds": 3.0, "parameters": 10}
MODELS = {"first": MODEL, "second": {**MODEL, "accuracy": 0.8}}


@contextlib.contextmanager
def serving(folder):
    with ReportServer(Watched(folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(build_run(tmp_path_factory.mktemp("run"), models=MODELS, n=100, seeds=2)) as running:
        yield running


def ask(server, path="/version", method="GET", **headers):
    """A request with just these headers: the status, the headers, the content."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, values in {"Host": f"127.0.0.1:{server.server_port}", **headers}.items():
        for value in [values] if isinstance(values, str) else values:
            connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def test_the_page_is_the_report_with_one_more_script(server, tmp_path):
    status, headers, content = ask(server, "/")
    assert status == 200
    folder = server.watched.folder
    written = write_report(folder, markdown=False)[0].read_text()
    script = re.search(r'<script data-version="[0-9a-f]{16}">(.*?)</script>\n', content.decode(), re.S)
    without = content.decode().replace(script[0], "")
    policy = re.compile('http-equiv="Content-Security-Policy" content="[^"]*"')
    assert policy.sub("", without) == policy.sub("", written)
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    status, headers, nothing = ask(server, "/", method="HEAD")
    assert (status, nothing) == (200, b"")
    assert int(headers["Content-Length"]) == len(content)


REFUSED = {
    "another name, as after DNS rebinding": {"Host": "evil.example"},
    "another name with the port": {"Host": "evil.example:80"},
    "a name that begins alike": {"Host": "localhost.evil.example"},
    "a name that ends alike": {"Host": "evil-localhost"},
    "a name before an at sign": {"Host": "localhost@evil.example"},
    "another address of this machine": {"Host": "0.0.0.0"},
    "no name": {"Host": []},
    "an empty name": {"Host": ""},
    "two names": {"Host": ["localhost", "evil.example"]},
    "another origin": {"Origin": "http://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "no origin of its own": {"Origin": "null"},
    "an image of another site": {"Sec_Fetch_Site": "cross-site"},
    "a page of another port": {"Sec_Fetch_Site": "same-site"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_hosts_and_origins_get_nothing(server, case):
    for path in ("/", "/version"):
        status, headers, content = ask(server, path, **REFUSED[case])
        assert status == 403
        assert b"first" not in content
        assert "Access-Control-Allow-Origin" not in headers


def test_this_machine_s_own_page_is_answered(server):
    for host in ("localhost", "LOCALHOST:1", f"127.0.0.1:{server.server_port}"):
        assert ask(server, Host=host)[0] == 200
        status, headers, content = ask(server, Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")
        assert status == 200
        assert json.loads(content).keys() == {"version", "note"}
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "path",
    ["/plan.json", "/../plan.json", "/version/../plan.json", "/%2e%2e/plan.json", "//plan.json", "/trials/",
     "plan.json", "http://evil.example/", "*", "/report.html", "/\\..\\plan.json", "/version%00", "/version/", "/./"],
)  # fmt: skip
def test_nothing_is_served_from_the_disk(server, path):
    write_report(server.watched.folder, markdown=False)
    status, _, content = ask(server, path)
    assert status == 404
    assert content == b"there are / and /version"


def test_it_reads_only(server):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "<script>"):
        status, headers, content = ask(server, method=method)
        assert (status, content) == (405, b"Method Not Allowed")
        assert headers["Allow"] == "GET, HEAD"
    for request in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET /version\r\n\r\n", b"<b>\x00\xff / HTTP/9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as raw:
            raw.sendall(request)
            answer = raw.makefile("rb").read()
        assert b'"version"' not in answer
        assert b"<b>" not in answer


def test_only_the_loopback_address_listens(server):
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=10)


def test_a_change_is_built_once_and_never_two_at_a_time(tmp_path, monkeypatch):
    folder = build_run(tmp_path / "run", models=MODELS, n=100, seeds=2)
    building, most, builds = [], [], []
    true = watch.build

    def counted(run, *, short):
        building.append(run)
        most.append(len(building))
        time.sleep(0.2)
        builds.append(sum(trial.done for trial in run.trials))
        building.pop()
        return true(run, short=short)

    monkeypatch.setattr(watch, "build", counted)
    record = next(folder.glob("trials/second*s1*/trial.json"))
    kept = record.read_bytes()
    record.unlink()
    with serving(folder) as server:
        readers = [threading.Thread(target=ask, args=(server, "/")) for _ in range(8)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()

        def version():
            return json.loads(ask(server)[2])["version"]

        first = version()
        for _ in range(5):
            assert version() == first
        record.write_bytes(b"half of a rec")
        wait_for(lambda: "cannot read" in json.loads(ask(server)[2])["note"])
        assert ask(server, "/")[0] == 200, "the page before is shown meanwhile"
        assert version() == first
        record.write_bytes(kept)
        wait_for(lambda: version() != first)
        assert json.loads(ask(server)[2])["note"].startswith("4 of 4 trials finished")
    assert builds == [3, 4]
    assert set(most) == {1}


def test_the_command_ends_with_ctrl_c_and_a_run_may_be_at_its_beginning(tmp_path, arena):
    folder = build_run(tmp_path / "run", models=MODELS, n=100, seeds=1)
    for record in folder.glob("trials/*/trial.json"):
        record.unlink()
    running = subprocess.Popen(
        [sys.executable, "-m", "mnistarena", "watch", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    url = re.search(r"http://127\.0\.0\.1:\d+/", running.stdout.readline())[0]
    with urllib.request.urlopen(url, timeout=120) as answer:
        assert b"0 of 2 trials<" in answer.read()
    taken = arena("watch", folder, "--port", url.rpartition(":")[2].strip("/"), process=True)
    assert taken.status == 2
    assert "cannot be used: Address already in use; give another --port, or none" in taken.err
    os.kill(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["plan.json", "environment.json", "spec.toml", "trials", "datasets"]
    ), "nothing is written"
    nothing = arena("watch", tmp_path, process=True)
    assert nothing.status == 2
    assert "is missing; is" in nothing.err


@pytest.mark.browser
def test_a_browser_takes_the_newest_page_by_itself(tmp_path, browser):
    folder = build_run(tmp_path / "run", models=MODELS, n=100, seeds=2)
    record = next(folder.glob("trials/second*s1*/trial.json"))
    kept = record.read_bytes()
    record.unlink()
    page = browser.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    with serving(folder) as server:
        page.goto(server.url)
        note = page.get_by_role("status").filter(has_text="trials finished")
        note.wait_for()
        assert note.inner_text() == "3 of 4 trials finished; refreshed as trials end"
        record.write_bytes(kept)
        page.get_by_role("status").filter(has_text="4 of 4 trials finished").wait_for()
    page.get_by_role("status").filter(has_text="arena watch has ended").wait_for()
    assert not [text for text in problems if "Content Security Policy" in text]
