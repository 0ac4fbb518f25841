"""Prints the oldest versions of the requirements that pyproject.toml allows, as pip takes them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads(
    (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text("utf-8")
)["project"]

for requirement in PROJECT["dependencies"]:
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()
    print(f"{name}=={version}.*" if "." in version else f"{name}=={version}.0.*")
