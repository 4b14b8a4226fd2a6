"""Try every claim, or those of the modules named, print a line for each, and the counts last."""

import importlib
import os
import sys

from claims.report import CLAIMS, run

MODULES = (
    "aws",
    "aws_faults",
    "google",
    "azure",
    "identity",
    "kubelet",
    "pullers",
    "cache",
    "refresh",
    "workspace",
    "broken",
)

# Importing registers claims; those of the world itself, which some modules build on, are not tried here.
for name in sys.argv[1:] or MODULES:
    importlib.import_module(f"helper.{name}")
CLAIMS[:] = [(text, function) for text, function in CLAIMS if function.__module__.startswith("helper.")]
sys.exit(run(strict=os.environ.get("STRICT") == "1"))
