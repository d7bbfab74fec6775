"""The Dockerfile that repo2docker writes for this tree installs the package and little else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import image
import pytest

pytestmark = pytest.mark.xdist_group("image")  # what they ask for is asked for once


def dockerfile(folder: Path) -> str:
    command = image.repo2docker().parent / "jupyter-repo2docker"
    return image.run(command, "--no-build", "--debug", ".", cwd=folder, timeout=60)


@pytest.fixture(scope="module")
def text(checkout) -> str:
    return dockerfile(checkout)


def own_steps(text: str) -> list[str]:
    """Return the commands that run once the tree has been copied into the image."""
    assert "COPY --chown=0:0 src/ ${REPO_DIR}/" in text
    after = text.split("COPY --chown=0:0 src/ ${REPO_DIR}/")[1]
    return re.findall(r"^RUN (.*)", after, re.MULTILINE)


def base_python(text: str) -> str:
    (version,) = set(re.findall(r"conda environment for python=(\S+)", text))
    return version


def test_the_image_has_the_python_that_the_pins_are_made_for(text):
    assert base_python(text) == "3.11"


def test_without_runtime_txt_another_python_would_be_chosen(checkout, tmp_path):
    # So runtime.txt is needed, and the test above can fail.
    copy = shutil.copytree(checkout, tmp_path / "copy")
    (copy / "runtime.txt").unlink()
    assert base_python(dockerfile(copy)) != "3.11"


def test_the_tree_is_copied_before_it_is_installed_and_nothing_else_runs(text):
    # The requirements name the tree itself: before the copy there would be nothing to install.
    # A postBuild script, an environment.yml or a start script would show here as one more step.
    pip = "${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir"
    assert own_steps(text) == [f'{pip} -r "requirements.txt"', f"{pip} ."]


def test_without_its_line_in_the_requirements_repo2docker_would_not_wait_for_the_tree():
    # repo2docker that reads pyproject.toml installs the package by itself, as asserted above. An
    # older one installs requirements.txt alone, before the copy unless a line of it is a path.
    script = (
        "import sys; from repo2docker.utils import is_local_pip_requirement as local;"
        "print([line for line in open(sys.argv[1]) if local(line)])"
    )
    printed = image.run(image.repo2docker(), "-c", script, image.ROOT / "requirements.txt")
    assert printed.strip() == r"['.\n']"


def test_nothing_is_installed_from_apt_beyond_what_every_image_has(text):
    installed = re.findall(r"apt-get -qq install --yes --no-install-recommends (.*?)>", text, re.S)
    packages = {word for words in installed for word in words.replace("\\", " ").split()}
    assert packages == {"locales", "gettext-base", "less", "unzip"}


@pytest.mark.parametrize("name", ["binder", ".binder"])
def test_no_folder_takes_the_place_of_the_root_files(checkout, name):
    # repo2docker would look for requirements.txt and runtime.txt there, and nowhere else.
    assert not (checkout / name).exists()
