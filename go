#!/usr/bin/env python3
"""One word per daily task. Sets the project up on a machine that has only Python and pip, then runs the task.

    ./go demo [options]     run the demonstration: REDCap to dashboard, notebook and SDTM (--once ends after the table)
    ./go test [options]     check and test everything; with options or paths, only pytest with those
    ./go check              style, types and import contracts
    ./go bench [name ...]   measure speed and memory against named peers
    ./go setup              set up only

This file needs Python 3.8 or newer; the project itself needs 3.12 or newer, which uv finds (pyenv, the system) or,
where that is allowed, downloads.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BIN = ROOT / ".venv" / "bin"
UV_VERSION = "0.13.9"
UV_PLACE = ROOT / ".tools" / ("uv-" + UV_VERSION)
READY = ROOT / ".venv" / "set-up-from"
VENDORED = ROOT / "apps" / "edge" / "vendor" / "manifest.json"
DECIDES = (
    ".python-version",
    "pyproject.toml",
    "uv.lock",
    "package.json",
    "package-lock.json",
    "vendor.lock.json",
    "hatch_build.py",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **more):
    """Run a command in the project's folder; end with its exit code when it fails."""
    code = subprocess.call([str(part) for part in command], cwd=str(ROOT), env=environment(), **more)
    if code != 0:
        sys.exit(code)


def become(program, *arguments):
    """Become a program of the project's environment, so that Ctrl-C and the exit code are its own."""
    os.chdir(str(ROOT))
    command = [str(BIN / program)] + list(arguments)
    os.execve(command[0], command, environment())


def environment():
    """The caller's environment without another project's virtual environment."""
    kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
    # The certificates this machine trusts, as pip does: a laboratory's network often has one of its own.
    kept.setdefault("UV_SYSTEM_CERTS", "1")
    kept["PATH"] = str(BIN) + os.pathsep + kept.get("PATH", os.defpath)
    return kept


# ---------------------------------------------------------------------- set-up


def fingerprint():
    parts = [(ROOT / name).read_bytes() for name in DECIDES] + [str(ROOT).encode(), platform.machine().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_set_up():
    return (
        READY.is_file()
        and READY.read_text() == fingerprint()
        and (BIN / "python").exists()
        and VENDORED.is_file()
    )


def uv():
    """The pinned uv, installed by pip into .tools the first time; nothing outside the project is touched."""
    program = UV_PLACE / "bin" / "uv"
    if not program.exists():
        say("Installing uv %s into .tools ..." % UV_VERSION)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        code = subprocess.call(pip + ["--upgrade", "--target", str(UV_PLACE), "uv==" + UV_VERSION])
        if code != 0 or not program.exists():
            sys.exit(
                "uv %s could not be installed. This needs pip (Debian: apt-get install python3-pip) and a reachable "
                "Python package registry. Then run the same command again." % UV_VERSION
            )
    return program


def set_up():
    """Make .venv exactly what uv.lock says; does nothing when nothing that decides it has changed."""
    if is_set_up():
        return
    say("Setting up (minutes on a slow line the first time) ...")
    # The build step puts the browser libraries in place, and costs a second when they are; uv may think it was run.
    command = [str(uv()), "sync", "--frozen", "--reinstall-package", "metricis"]
    if subprocess.call(command, cwd=str(ROOT), env=environment()) != 0:
        sys.exit(
            "\nThe set-up failed; what uv said is above, with what to do. If it found no Python: install Python 3.12 or newer (Debian 13: "
            "apt-get install python3; pyenv: pyenv install 3.12; or let uv download one by leaving "
            "UV_PYTHON_DOWNLOADS unset) and run the same command again. It continues where it stopped."
        )
    READY.write_text(fingerprint())


def ensure_browser():
    """Browser tests drive a Chromium of the system; the time-stamp authority of the tests is OpenSSL's."""
    wanted = [] if any(shutil.which(name) for name in BROWSERS) else ["chromium"]
    wanted += [] if shutil.which("openssl") else ["openssl"]
    if not wanted:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        say("Installing %s for the tests ..." % " and ".join(wanted))
        run("apt-get", "update", "-qq", stdout=subprocess.DEVNULL)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted, stdout=subprocess.DEVNULL)
        return
    if wanted == ["openssl"]:
        sys.exit("The tests need the program openssl, and it is not on PATH. Install it and run the same command again.")
    sys.exit(
        "The browser tests need Chromium or Chrome, and none of %s is on PATH. Install one (Debian: apt-get install "
        'chromium), or leave those tests out: ./go test -m "not browser"' % ", ".join(BROWSERS)
    )


# ---------------------------------------------------------------------- tasks


def check():
    run(BIN / "ruff", "check", ".")
    run(BIN / "ruff", "format", "--check", ".")
    run(BIN / "mypy")
    run(BIN / "lint-imports")


def test(arguments):
    if "not browser" not in " ".join(arguments):
        ensure_browser()
    if not arguments:
        check()
        # A file's tests stay together: they share what is slow to make (a loaded trial, a web server).
        arguments = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    become("pytest", *arguments)


def bench(arguments):
    known = {path.stem: path for path in sorted((ROOT / "benchmarks").glob("[a-z]*.py"))}
    unknown = [name for name in arguments if name not in known]
    if unknown:
        sys.exit("No benchmark is named %s. There are: %s." % (", ".join(unknown), ", ".join(known) or "none"))
    for name in arguments or known:
        say("== " + name)
        run(BIN / "python", known[name])


def main(arguments):
    task, rest = (arguments[0] if arguments else "help"), arguments[1:]
    if task in ("help", "-h", "--help"):
        print(__doc__)
        return
    if task not in ("demo", "test", "check", "bench", "setup"):
        sys.exit("There is no task %r.\n%s" % (task, __doc__))
    if os.name == "nt":
        sys.exit("Metricis runs on Linux and macOS; on Windows use the Linux subsystem (WSL 2).")
    set_up()
    if task == "demo":
        become("metricis", "demo", *rest)
    elif task == "test":
        test(rest)
    elif task == "check":
        check()
    elif task == "bench":
        bench(rest)


if __name__ == "__main__":
    main(sys.argv[1:])
