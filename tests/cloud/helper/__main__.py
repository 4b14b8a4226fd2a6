"""Try every claim, or those of the worlds or modules named, print a line for each, and the counts last."""

import importlib
import os
import sys

from claims.report import CLAIMS, run

# Two worlds that take about as long, and run side by side.
WORLDS = {
    "first": ("aws", "aws_faults", "google"),
    "second": ("azure", "identity", "kubelet", "pullers", "cache", "refresh", "workspace", "publish", "broken"),
}

modules = [f"helper.{name}" for named in sys.argv[1:] or WORLDS for name in WORLDS.get(named, (named,))]
# Importing registers claims; those of what these build on are tried elsewhere.
for module in modules:
    importlib.import_module(module)
CLAIMS[:] = [(text, function) for text, function in CLAIMS if function.__module__ in modules]
sys.exit(run(strict=os.environ.get("STRICT") == "1"))
