"""Commands that do not train do not pay for what trains."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import sys, json
from mnistarena.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["arena", *arguments]
    try:
        main()
    except SystemExit as ending:
        assert not ending.code, ending.code
print()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def modules_after(*commands, cwd):
    """What one process has imported after some commands."""
    commands = [list(map(str, arguments)) for arguments in commands]
    done = subprocess.run([sys.executable, "-c", SCRIPT, json.dumps(commands)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_imports_next_to_nothing(tmp_path):
    assert not {"torch", "pandas", "altair", "pydantic", "numpy"} & modules_after(["--help"], cwd=tmp_path)


def test_torch_is_not_imported(tmp_path, write_spec):
    write_spec()
    commands = (["list"], ["show", "model", "vgg16"], ["validate", "tiny.toml"])
    assert not {"torch", "torchvision"} & modules_after(*commands, cwd=tmp_path)


def test_a_report_needs_no_torch(tiny_run):
    assert "torch" not in modules_after(["report", tiny_run, "--html", "--markdown"], cwd=tiny_run)


def test_importing_the_package_is_cheap_and_its_names_resolve():
    code = "import sys, mnistarena; assert not {'torch', 'pydantic'} & set(sys.modules); "
    code += "[getattr(mnistarena, name) for name in mnistarena.__all__]; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
