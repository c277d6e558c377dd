"""The pages that are programs."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

PAGES = pathlib.Path(__file__).parents[2] / "docs/howto"


@pytest.mark.parametrize("page", ["python.md", "placement-groups.md", "node-labels.md"])
def test_every_block_of_the_page_runs(page, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    program = tmp_path / "page.py"
    program.write_text("\n\n".join(blocks))
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.returncode == 0, done.stderr
