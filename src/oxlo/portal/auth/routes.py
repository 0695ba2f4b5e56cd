"""Routes of sign-up and login."""

from starlette.routing import BaseRoute

from oxlo.portal.auth import federated, links, login, profile, signup
from oxlo.portal.guard import account_form, public_form, public_page


def routes() -> list[BaseRoute]:
    """Routes that need no session."""
    return [
        public_page("/signup", signup.page),
        public_form("/signup", signup.submit),
        public_page("/login", login.page),
        public_form("/login", login.submit),
        public_form("/login/code", login.submit_code),
        public_page("/login/with/{provider}", federated.begin),
        public_page("/login/with/{provider}/callback", federated.callback),
        public_form("/logout", login.logout),
        public_page("/forgot", links.forgot),
        public_form("/forgot", links.send_reset),
        public_page("/reset", links.new_password),
        public_form("/reset", links.set_password),
        public_page("/welcome", links.new_password),
        public_form("/welcome", links.set_password),
        public_page("/verify", links.verify),
        public_form("/verify", links.verify_now),
        public_page("/auth/me/profile-status", profile.status),
        account_form("/verify/send", links.send_verify),
    ]
