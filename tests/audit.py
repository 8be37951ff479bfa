"""`make audit`: known vulnerabilities of the installed packages, by pip-audit.

Exit code 0: none is known; 1: some are, which are printed; 2: the database could not be asked, so that
nothing is known.
"""

import json
import subprocess
import sys

COMMAND = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]


def main() -> int:
    """Run pip-audit and say what it found."""
    asked = subprocess.run([*COMMAND, "--format", "json"], capture_output=True, text=True)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (asked.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"audit: the database of vulnerabilities could not be asked: {reason}", file=sys.stderr)  # noqa: T201
        return 2
    known = [(p["name"], p["version"], v) for p in packages for v in p.get("vulns", [])]
    for name, version, vulnerability in known:
        print(f"{name} {version}: {vulnerability['id']}, mended in {vulnerability['fix_versions'] or 'none'}")  # noqa: T201
    unasked = sum("skip_reason" in package for package in packages)
    if unasked == len(packages):  # pip-audit calls that a success
        reason = packages[0]["skip_reason"] if packages else "nothing is installed"
        print(f"audit: the database of vulnerabilities could not be asked: {reason}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"{len(packages) - unasked} packages asked about, {len(known)} vulnerabilities known")  # noqa: T201
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
