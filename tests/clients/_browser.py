"""Sign-in through Swagger's page in Chromium, by name and by address, and after the address moved.

Needs a home with the samples applied and a daemon on it, `OPERATOR`, and a HOME whose NSS store
trusts the authorities. `UPDATE_DOCS=1` keeps the screenshots in `docs/images`.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

OPERATOR = os.environ["OPERATOR"]
GROUP = "app-with-ssl"
IMAGES = Path(__file__).parents[2] / "docs" / "images"
PATIENCE = 60.0


def operator(*arguments: str) -> str:
    command = [OPERATOR, *arguments]  # our own program, from the script beside this one
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def status(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(operator("get", kind, name, "-o", "json"))["status"]
    return found


def until(what: str, holds: Callable[[], bool]) -> float:
    start = time.monotonic()
    while time.monotonic() < start + PATIENCE:
        if holds():
            return time.monotonic() - start
        time.sleep(0.2)
    sys.exit(f"never: {what}")


def shoot(page: Page, name: str) -> None:
    if os.environ.get("UPDATE_DOCS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=IMAGES / f"{name}.png")


def open_docs(page: Page, origin: str) -> None:
    page.goto(f"{origin}/docs")
    expect(page.locator("button.authorize").first).to_be_visible()


def sign_in(page: Page, user: str, scopes: int = 1, *, pictures: bool = False) -> float:
    """Authorize with the first scopes, as `user`; seconds from the click to the end."""
    page.locator("button.authorize").first.click()
    boxes = page.locator(".dialog-ux .scopes input[type=checkbox]").all()
    for number, box in enumerate(boxes):
        if box.is_checked() != (number < scopes):
            page.locator(f"label[for='{box.get_attribute('id')}']").first.click()
    if pictures:
        shoot(page, "2-authorize")
    start = time.monotonic()
    with page.context.expect_page() as opened:
        page.locator(".dialog-ux button.authorize").first.click()
    popup = opened.value
    choice = popup.locator(f"button[value^='{user}@']")
    expect(choice).to_be_visible()
    if pictures:
        shoot(popup, "3-sign-in")
    with popup.expect_event("close"):
        choice.click()
    expect(page.locator(".dialog-ux")).to_contain_text("Authorized")
    took = time.monotonic() - start
    if pictures:
        shoot(page, "4-authorized")
    page.locator(".dialog-ux button.btn-done").first.click()
    return took


def call(page: Page, path: str) -> tuple[int, str]:
    """Try it out; status and body as the page shows them."""
    block = page.locator(".opblock", has=page.locator(f"[data-path='{path}']")).first
    if "is-open" not in (block.get_attribute("class") or ""):
        block.locator(".opblock-summary").first.click()
    execute, begin = block.locator("button.execute"), block.locator("button.try-out__btn")
    expect(execute.or_(begin).first).to_be_visible()
    if not execute.count():
        begin.click()
    with page.expect_response(lambda answer: answer.url.endswith(path)) as answered:
        execute.click()
    response = answered.value
    expect(
        block.locator(".live-responses-table td.response-col_status:not(.col_header)").first
    ).to_contain_text(str(response.status))
    return response.status, response.text()


def visit(
    browser: Browser,
    origin: str,
    user: str,
    path: str = "/me",
    scopes: int = 1,
    *,
    pictures: bool = False,
) -> tuple[int, float]:
    context = browser.new_context(locale="en-GB", viewport={"width": 1100, "height": 800})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_docs(page, origin)
    if pictures:
        shoot(page, "1-docs")
    took = sign_in(page, user, scopes, pictures=pictures)
    code, body = call(page, path)
    if pictures:
        page.locator(".live-responses-table").first.scroll_into_view_if_needed()
        shoot(page, "5-me")
    assert not problems, problems
    assert path != "/me" or code != 200 or user in body, body
    context.close()
    return code, took


def check(what: str, found: object, wanted: object) -> None:
    print(f"{'✓' if found == wanted else '✗'} {what}: {found}")
    if found != wanted:
        sys.exit(f"wanted: {wanted}")


def main() -> None:
    group = status("containergroup", GROUP)
    name, address = group["fqdn"], group["ip"]
    by_name = f"https://{name}"
    with sync_playwright() as playwright:

        def browser(names: dict[str, str]) -> Browser:
            rules = ", ".join(f"MAP {host} {ip}" for host, ip in names.items())
            return playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--no-sandbox", f"--host-resolver-rules={rules}"],
            )

        chromium = browser({name: address, "mon-dns.com": address})
        code, took = visit(chromium, by_name, "marie", pictures=True)
        check("/me by name", code, 200)
        check("/me by the user's host", visit(chromium, "https://mon-dns.com", "marie")[0], 200)
        check("/me by address", visit(chromium, f"https://{address}", "marie")[0], 200)
        check("/me of a guest", visit(chromium, by_name, "gustav")[0], 403)
        check("/reports without its scope", visit(chromium, by_name, "marie", "/reports")[0], 403)
        check("/reports with it", visit(chromium, by_name, "marie", "/reports", 2)[0], 200)
        times = [took, *(visit(chromium, by_name, "marie")[1] for _ in range(4))]
        print(f"measured: sign-in from click to token, p50 of 5: {sorted(times)[2]:.2f} s")
        chromium.close()

        operator("local", "fault", "ip-change", GROUP)
        moved = until("a new address", lambda: address != status("containergroup", GROUP)["ip"])
        new = status("containergroup", GROUP)["ip"]
        origin = f"https://{new}"
        registered = until(
            "its redirect URI",
            lambda: origin in status("appregistration", "mon-api").get("origins", []),
        )
        print(
            f"measured: a moved address seen after {moved:.1f} s, its redirect URI "
            f"{registered:.1f} s later"
        )
        chromium = browser({name: new, "mon-dns.com": new})
        check("/me at the new address", visit(chromium, origin, "marie")[0], 200)
        check("/me by name, moved", visit(chromium, by_name, "marie")[0], 200)
        everywhere = json.dumps(status("appregistration", "mon-api"))
        check("the lost address is registered", address in re.findall(r"[\d.]+", everywhere), False)
        chromium.close()


main()
