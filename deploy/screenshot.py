"""Take a picture of the dashboard of a running platform, in Debian's Chromium.

    python deploy/screenshot.py --url http://127.0.0.1:8000 --key-file .data/local-key

`docs/dashboard.md` says how the picture there was made.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, sync_playwright

_CHROMIUM_OPTIONS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_PATIENCE_MS = 30_000


def main() -> int:
    """Take the picture; return the exit status."""
    asked = _arguments()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("there is no chromium on PATH: apt-get install chromium\n")
        return 2
    try:
        key = asked.key_file.read_text().strip()
    except OSError as error:
        sys.stderr.write(f"the API key cannot be read from {asked.key_file}: {error.strerror}\n")
        return 2
    chosen = {"device": asked.device, "quantity": asked.quantity, "range": asked.range}
    fragment = urlencode({name: value for name, value in chosen.items() if value})
    # Chromium's sandbox does not work for root.
    options = [*_CHROMIUM_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=options)
            page = browser.new_page(
                viewport={"width": asked.width, "height": asked.height},
                device_scale_factor=asked.scale,
                color_scheme=asked.scheme,
                locale=asked.language,
            )
            # not in the address: an error would print it
            page.add_init_script(f"sessionStorage.setItem('passerelle.key', {json.dumps(key)})")
            _take(page, f"{asked.url.rstrip('/')}/#{fragment}", asked)
            browser.close()
    except PlaywrightError as error:
        what = error.message.partition("\n")[0]
        sys.stderr.write(f"no picture of {asked.url}: {what}; does it run, and is the key good?\n")
        return 1
    sys.stdout.write(f"{asked.out}\n")
    return 0


def _take(page: Page, address: str, asked: argparse.Namespace) -> None:
    """Wait until values and curve are there and nothing more is asked for, then take it."""
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(address)
    page.locator(".plot .line").first.wait_for(state="attached")
    page.locator(".devices .chip").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=asked.out, full_page=asked.full)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of the API")
    parser.add_argument(
        "--key-file", type=Path, default=Path(".data/local-key"), help="file with an API key"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/images/dashboard.png"))
    parser.add_argument("--device", help="device to show; default: the first")
    parser.add_argument("--quantity", help="quantity to draw; default: the device's first")
    parser.add_argument("--range", choices=("1h", "24h", "7d"), default="24h")
    parser.add_argument("--width", type=int, default=1440, help="CSS pixels")
    parser.add_argument("--height", type=int, default=1000, help="CSS pixels")
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels in a CSS pixel")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--language", default="en-GB", help="of the browser, such as fr-FR")
    parser.add_argument("--full", action="store_true", help="the whole page, not one screenful")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
