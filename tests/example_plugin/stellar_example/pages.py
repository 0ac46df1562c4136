"""A page."""

from stellar.http import endpoint
from stellar.web import site


class GreetingPage:
    """``/x/example/``"""

    @endpoint(permission="signed_in")
    async def on_get(self, req):
        """Say hello."""
        return await site.page(req, "example/greeting.html")
