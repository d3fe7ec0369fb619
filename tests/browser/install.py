"""Find a Chromium for the browser tests, or install one where this machine lets us.

Never fails: without a browser the tests themselves say what to do.
"""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright
from real_page import launch_chromium

DEBIAN = [
    ["apt-get", "update", "-qq"],
    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu"],
]
PLAYWRIGHT = [[sys.executable, "-m", "playwright", "install", "chromium"]]


def starts() -> bool:
    """Tell whether a browser starts."""
    with sync_playwright() as playwright:
        try:
            launch_chromium(playwright).close()
        except RuntimeError:
            return False
    return True


def main() -> None:
    """Try Debian's package where we may, then Playwright's download."""
    ways = [PLAYWRIGHT]
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        ways.insert(0, DEBIAN)
    for way in ways:
        if starts():
            return
        print("No Chromium starts here; trying:", " && ".join(map(" ".join, way)), flush=True)
        for command in way:
            if subprocess.run(
                command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            ).returncode:
                break
    if not starts():
        print("Still no Chromium: the browser tests will fail and say what to do.")


if __name__ == "__main__":
    main()
