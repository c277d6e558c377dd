"""The pages that are programs."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

PAGES = pathlib.Path(__file__).parents[2] / "docs/howto"


ROOT = PAGES.parents[1]


@pytest.mark.parametrize("page", ["python.md", "placement-groups.md", "node-labels.md"])
def test_every_block_of_the_page_runs(page, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    program = tmp_path / "page.py"
    program.write_text("\n\n".join(blocks))
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.returncode == 0, done.stderr


def test_the_files_and_commands_of_the_page_across_languages_run(tmp_path):
    """Blocks that begin with a file's name are files; the others are commands, and what the last of them prints."""
    library = pathlib.Path(os.environ["MANTA_EXECUTABLE"]).resolve().parents[1] / "lib"
    (tmp_path / "manta").mkdir()
    (tmp_path / "manta/include").symlink_to(ROOT / "include")
    (tmp_path / "manta/lib").symlink_to(library)
    environment = {**os.environ, "MANTA": str(tmp_path / "manta"), "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    printed = ""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", (PAGES / "cross-language.md").read_text(), re.MULTILINE | re.DOTALL):
        if language == "sh":
            done = subprocess.run(["sh", "-ec", block], capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            printed = done.stdout
        elif language:
            (tmp_path / re.match(r"(?://|#) (\S+)", block)[1]).write_text(block)
        else:
            assert printed == block
