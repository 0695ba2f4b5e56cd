"""The addresses before a session."""

from starlette.routing import BaseRoute

from oxlo.portal.entry import elsewhere, links, login, signup
from oxlo.portal.guard import change, sent, shown


def routes() -> list[BaseRoute]:
    """The table."""
    return [
        shown("/signup", signup.page),
        sent("/signup", signup.submit),
        shown("/login", login.page),
        sent("/login", login.submit),
        sent("/login/code", login.submit_code),
        shown("/login/with/{provider}", elsewhere.leave),
        shown("/login/with/{provider}/callback", elsewhere.arrive),
        sent("/logout", login.leave),
        shown("/forgot", links.forgot),
        sent("/forgot", links.send_reset),
        shown("/reset", links.new_password),
        sent("/reset", links.set_password),
        shown("/welcome", links.new_password),
        sent("/welcome", links.set_password),
        shown("/verify", links.verify),
        sent("/verify", links.verify_now),
        change("/verify/send", links.send_verify),
    ]
