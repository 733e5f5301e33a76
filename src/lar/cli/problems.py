"""`lar problems`."""

import argparse
import os
from collections.abc import Sequence
from typing import cast

from lar.cli.context import call
from lar.cli.table import local_time, printable, table
from lar.config import home_folder
from lar.conversations.problems import Report
from lar.errors import LarError
from lar.operations.reports import FOLDER, ReportFolder


def problems(arguments: argparse.Namespace) -> int:
    """Show what is wrong now and the error reports, or one report; 1 if something is wrong now."""
    folder = home_folder(os.environ, arguments.home) / "files" / FOLDER
    try:
        found = ReportFolder(folder).latest()
        if arguments.report is not None:
            print(printable(ReportFolder(folder).text(_meant(found, arguments.report).name)))
            return 0
    except OSError as error:
        raise LarError(f"the error reports in {folder} cannot be read: {error.strerror}") from None
    now = _now(arguments)
    for source, sentence in now.items():
        print(f"problem with {source}: {sentence}")
    rows = [
        (number, report.times, local_time(report.last), report.title, report.fingerprint)
        for number, report in enumerate(found, 1)
    ]
    print(table(("N", "TIMES", "LAST", "WHAT", "FINGERPRINT"), rows) if rows else "No error reports.")
    return 1 if now else 0


def _now(arguments: argparse.Namespace) -> dict[str, str]:
    """What the running gateway says is wrong; nothing where none runs."""
    try:
        return cast("dict[str, str]", call(arguments, "status").get("problems", {}))
    except LarError:
        return {}


def _meant(found: Sequence[Report], wanted: str) -> Report:
    """The report of this number, fingerprint or file name."""
    for number, report in enumerate(found, 1):
        if wanted in {str(number), report.fingerprint, report.name}:
            return report
    raise LarError(f"there is no error report {wanted}: `lar problems` lists them")
