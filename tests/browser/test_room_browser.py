"""A room in browsers: a teacher's page and a phone, by keys, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.browser.serving import settled
from tests.browser.visiting import Visit

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def drawn_by_keys(tab: Visit) -> None:
    """A 1 on the pad, and sent."""
    tab.page.get_by_role("application", name="Drawing pad: draw a digit").focus()
    for _ in range(12):
        tab.page.keyboard.press("ArrowUp")
    tab.page.keyboard.press("Space")
    for _ in range(26):
        tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Space")
    tab.page.get_by_role("button", name="Send my 1").press("Enter")


def test_a_room_from_its_code_to_its_end(visit: Callable[..., Visit]) -> None:
    teacher = visit("room")
    teacher.page.get_by_role("button", name="Open a room").click()
    code = re.sub(r"\W", "", teacher.page.locator("h1", has_text=re.compile("Room ...")).inner_text()[4:])
    assert "answers this machine alone" in teacher.page.get_by_test_id("stAlert").inner_text()
    phone = visit("room", **PHONE)
    phone.page.get_by_label("Code of the room").fill(code.lower())
    phone.page.get_by_role("button", name="Join").click()
    phone.page.wait_for_url(f"**/room?join={code}")
    phone.page.get_by_text("1", exact=True).click()
    phone.page.get_by_role("button", name="Send my 1").wait_for()
    assert phone.page.get_by_test_id("stTopNavLink").count() == 0, "a phone has its page alone"
    settled(phone.page)
    assert phone.violations_in_both() == []
    drawn_by_keys(phone)
    phone.page.get_by_text("Your 1 is on the wall: number 1").wait_for()
    phone.page.get_by_text("half", exact=True).click()
    teacher.page.locator(".room-wall img[alt='drawing 1, a 1']").wait_for()
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390, "wider than a phone"
    teacher.page.get_by_text("1 guess, still hidden").wait_for()
    teacher.page.keyboard.press("v")
    teacher.page.locator(".room-votes").wait_for()
    assert teacher.violations_in_both() == []
    for aim in ("training loss", "decision margin"):
        teacher.page.keyboard.press("a")
        teacher.page.locator(".room-table").get_by_text(f"aimed at the {aim}").wait_for()
        phone.page.get_by_text(f"Aimed at the {aim}.").first.wait_for()
    settled(teacher.page)
    assert teacher.violations_in_both() == []
    assert phone.violations_in_both() == []
    phone.page.reload()
    phone.page.get_by_text("read your 1 as").first.wait_for()  # it is known again by its cookie
    teacher.page.get_by_role("button", name="Close the room").click()
    teacher.page.get_by_role("button", name="Delete everything").click()
    teacher.page.get_by_role("button", name="Open a room").wait_for()
    phone.page.get_by_text("The room is closed").wait_for()
    phone.page.wait_for_function("() => !document.cookie.includes('tasklab_guest')")
    assert teacher.errors == phone.errors == []
    assert teacher.elsewhere == phone.elsewhere == []
