# SPDX-License-Identifier: MIT
"""Drives the scenarios of one binding through box.cjs or box.py: which of them, with which allocation failing, in
processes of their own; goes on behind a crash or a hang; and sums up.

    starve.py node|python [PART]    those scenarios whose name has this in it
    starve.py control               only the faults that are planted, in both

STARVE_STRIDE=K: each Kth point; ~N: some N points of each scenario, kind and mode.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILT = pathlib.Path(os.environ["STARVE_BUILD"])
PROCESS_COUNT = 2
#: Longer than this no point may take.
SILENCE_S = 60
POINTS = "~5"
SORTS = ("crashes", "hangs", "leaks", "wrong answers", "broken promises")

LANGUAGES = {
    "node": (["node", "--no-warnings", str(HERE / "box.cjs")], "the addon"),
    "python": ([os.environ.get("PYTHON", "/usr/bin/python3"), str(HERE / "box.py")], "the library that it calls"),
}
KINDS = {"memory": "allocation points", "calls": "refused calls of Node-API", "objects": "allocations of the interpreter"}


def environment():
    return {
        **os.environ, "LD_PRELOAD": str(BUILT / "preload.so"), "STEPBUS_NODE_BUILD": "build/starve",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def sort_of(finding: str) -> str:
    for words, sort in (("hang", "hangs"), ("not final", "hangs"), ("not given back", "leaks"), ("lost", "broken promises"),
                        ("nobody was told", "broken promises"), ("once more", "broken promises"), ("more than once", "broken promises")):
        if words in finding:
            return sort
    return "wrong answers"


class Job:
    """One scenario in one kind and mode."""

    def __init__(self, language, name, kind, mode, stride):
        self.language, self.name, self.kind, self.mode, self.stride = language, name, kind, mode, stride
        self.points = self.succeeded = self.refused = self.asked = 0
        self.findings = []
        self.called = set()

    def find(self, at, what, sort=None):
        self.findings.append(sort or sort_of(what))
        with lock:
            words = what.splitlines()[0] if self.name.startswith("planted") else what
            print("%s %s, %s %s, at %s: %s" % (self.language, self.name, self.mode, self.kind, at, words), flush=True)

    def run(self):
        first = 1
        while first:
            first = self.run_from(first)

    def run_from(self, first):
        """Runs one process; where to go on behind its end, or None."""
        command = [*LANGUAGES[self.language][0], self.name, self.kind, self.mode, self.stride, str(first)]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment(), cwd=ROOT)
            at, step, is_over = self.listen(process)
            is_silent = process.poll() is None and not is_over
            if is_silent:
                process.kill()
            status = process.wait()
            errors.seek(0)
            words = errors.read().decode("utf-8", "replace")[-2000:]
        if is_over:
            return None
        if is_silent:
            self.find(at, "it hangs: nothing is heard of it for %d s\n%s" % (SILENCE_S, words), "hangs")
        elif at == 0:
            self.find(at, "the scenario does not run, status %d: %s" % (status, words), "wrong answers")
        else:
            self.find(at, "it ends with status %d\n%s" % (status, words), "crashes")
        if at:
            self.points += (at - first) // step + 1
        return at + step if at else None

    def listen(self, process):
        at, step, is_over, rest = 0, 1, False, b""
        while not is_over and select.select([process.stdout], [], [], SILENCE_S)[0]:
            more = os.read(process.stdout.fileno(), 65536)
            if not more:
                process.wait()
                break
            *lines, rest = (rest + more).split(b"\n")
            for line in map(json.loads, filter(lambda text: text.startswith(b"{"), lines)):
                if "finding" in line:
                    self.find(line["at"], line["finding"])
                    is_over = is_over or line["at"] == 0
                elif "end" in line:
                    is_over = True
                    self.take(line["end"])
                else:
                    at, step = line["at"], line["stride"]
        return at, step, is_over

    def take(self, end):
        self.points += end["points"]
        self.succeeded += end["succeeded"]
        self.refused += end["refused"]
        self.asked = end["asked"]
        self.called |= set(end["called"])


lock = threading.Lock()


def jobs_of(language, part, is_control):
    listed = subprocess.run([*LANGUAGES[language][0], "list"], capture_output=True, text=True, env=environment(), cwd=ROOT)
    listed.check_returncode()
    stride = os.environ.get("STARVE_STRIDE") or POINTS
    for line in listed.stdout.splitlines():
        name, kinds = line.split()
        if name.startswith("planted") != is_control or part not in name:
            continue
        for kind in kinds.split(","):
            for mode in ("once",) if is_control else ("once", "sticky"):
                yield Job(language, name, kind, mode, "~3" if is_control else stride)


def run_all(jobs):
    with ThreadPoolExecutor(PROCESS_COUNT) as pool:
        for done in [pool.submit(job.run) for job in jobs]:
            done.result()


def exports_of(language):
    """What could be called."""
    if language == "node":
        words = (ROOT / "bindings/node/src/addon.c").read_text()
        questions = (ROOT / "bindings/node/src/ask.c").read_text()
        names = re.findall(r'\{ "(\w+)", \w+ \}', words)
        return {*(name for name in names if name != "ask"), *("ask " + name for name in re.findall(r'\{ "(\w+)", \w+, \w+, \w+ \}', questions))}
    source = ROOT / "bindings/python/src/stepbus"
    listed = set(re.findall(r'"(stepbus_\w+)":', (source / "_functions.py").read_text()))
    used = set()
    for file in source.glob("*.py"):
        if file.name not in ("_functions.py", "_structs.py"):
            # In code, not in words about it.
            used |= set(re.findall(r'(?:lib\.|")(stepbus_\w+)', file.read_text()))
    return listed & used


def print_missing(language, jobs):
    wanted = exports_of(language)
    # Of Python only called where an object lacks memory behind a poll; bindings/python/tests/test_famine.py.
    wanted.discard("stepbus_release")
    missing = sorted(wanted - set().union(*(job.called for job in jobs)))
    for name in missing:
        print("%s: %s is never called without memory" % (language, name))
    print("proof: starve %s: %d functions of the binding: %d never called without memory" % (language, len(wanted), len(missing)))
    return len(missing)


def print_sums(language, jobs):
    for kind, words in KINDS.items():
        some = [job for job in jobs if job.kind == kind]
        if not some:
            continue
        found = [sort for job in some for sort in job.findings]
        of = ", of %s and all below it" % LANGUAGES[language][1] if kind == "memory" else ""
        print("proof: starve %s: %d %s in %d scenarios%s: %s (%d succeeded all the same, %d said so)" % (
            language, sum(job.points for job in some), words, len({job.name for job in some}), of,
            ", ".join("%d %s" % (found.count(sort), sort) for sort in SORTS),
            sum(job.succeeded for job in some), sum(job.refused for job in some),
        ))  # fmt: skip


def run_controls():
    jobs = [job for language in LANGUAGES for job in jobs_of(language, "", True)]
    print("planted faults, which must be found:")
    run_all(jobs)
    found = sum(bool(job.findings) for job in jobs)
    print("proof: starve: %d faults planted: %d found" % (len(jobs), found))
    return found, len(jobs) - found


def main(language, part=""):
    if language == "control":
        passed, failed = run_controls()
    else:
        jobs = list(jobs_of(language, part, False))
        run_all(jobs)
        print_sums(language, jobs)
        failed = sum(bool(job.findings) for job in jobs)
        passed = len(jobs) - failed
        if not part:
            is_missing = print_missing(language, jobs) > 0
            passed, failed = passed + (not is_missing), failed + is_missing
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0 or passed == 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in (*LANGUAGES, "control"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
