"""The web site of one process: its theme chain, templates, assets and menus."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from .. import __version__, db
from ..config import ThemeSettings
from . import formats, themes
from .assets import Assets
from .menu import MenuItem, current
from .security import content_security_policy
from .templates import Templates

if TYPE_CHECKING:
    from pathlib import Path

    from ..config import Config
    from ..extend.manager import PluginManager
    from ..http.answers import Html
    from ..http.errors import Problem
    from ..http.request import Request

SCHEME_COOKIE = "stellar_scheme"
DARK_MEDIA = {"system": "(prefers-color-scheme: dark)", "light": "not all", "dark": "all"}


class Site:
    """What ``render`` works with; made once per web process."""

    def __init__(self, plugins: PluginManager, config: Config) -> None:
        self.plugins = plugins
        name = themes.DEFAULT if os.environ.get("STELLAR_SAFE_MODE") else config.section(ThemeSettings).name
        self.chain = themes.chain(name, themes.find_themes(config.data))
        self.assets = Assets(self._static_roots())
        self.templates = Templates(self._template_directories(), config.data / "cache" / "templates")
        self.scripts = ["core/app.js", *self._plugin_assets(".js")]
        self.stylesheets = [*self._theme_files("stylesheets"), *self._plugin_assets(".css")]
        self.dark_stylesheets = self._theme_files("dark_stylesheets")

    def view(self, req: Request) -> dict[str, Any]:
        """The variables that every template has."""
        menu = self.menu(req, "main")
        scheme = _scheme(req)
        view: dict[str, Any] = {
            "actor": req.actor,
            "asset": self.assets.url,
            "csrf_token": req.session.csrf_token if req.session else "",
            "current_item": current(menu, req.path),
            "dark_media": DARK_MEDIA[scheme],
            "dark_stylesheets": self.dark_stylesheets,
            "fmt": formats,
            "locale": req.session.locale if req.session else "",
            "menu": menu,
            "path": req.path,
            "request_id": req.request_id,
            "scheme": scheme,
            "scripts": self.scripts,
            "server_menu": lambda may: [item for item in self.menu(req, "server") if item.fits(may)],
            "site_name": "Stellar",
            "site_version": __version__,
            "stylesheets": self.stylesheets,
            "theme_asset": self.theme_asset,
            "time_zone": _time_zone(req),
        }
        view["slot"] = lambda name: self.slot(name, view)
        for _, more in self.plugins.each("template_vars", view=view):
            view.update(more)
        return view

    def theme_asset(self, path: str) -> str:
        """The address of a file in the ``static`` folder of the most specific theme that has it."""
        names = [f"themes/{theme.name}/{path}" for theme in self.chain]
        return self.assets.url(next(filter(self.assets.has, names), names[0]))

    def menu(self, req: Request, location: str) -> list[MenuItem]:
        """The entries of a menu that the caller may see, in order."""
        items = list(_core_items(location)) if req.actor.signed_in else []
        if req.actor.signed_in:
            for _, offered in self.plugins.each("menu_items", actor=req.actor, location=location):
                items += offered
        return sorted(items, key=lambda item: (item.order, item.label))

    def slot(self, name: str, view: dict[str, Any]) -> Markup:
        """What plugins put into a slot, in the order of the plugins."""
        offered = self.plugins.each("page_slot", slot=name, view=view)
        return Markup("").join(Markup(html) for _, html in offered if html)  # noqa: S704 - plugins escape theirs

    def _static_roots(self) -> dict[str, Path]:
        roots = {"core": themes.CORE / "static"}
        for plugin in self.plugins.active():
            if plugin.directory is not None:
                roots[plugin.name] = plugin.directory / "static"
        return roots | {f"themes/{theme.name}": theme.path / "static" for theme in self.chain}

    def _template_directories(self) -> list[Path]:
        plugins = [plugin.directory for plugin in self.plugins.active() if plugin.directory is not None]
        owners = [*(theme.path for theme in self.chain), themes.CORE, *plugins]
        return [owner / "templates" for owner in owners]

    def _theme_files(self, kind: str) -> list[str]:
        """The style sheets of the whole chain, those that others build on first."""
        return [f"themes/{theme.name}/{path}" for theme in reversed(self.chain) for path in getattr(theme.file, kind)]

    def _plugin_assets(self, suffix: str) -> list[str]:
        registered = (f"{asset.plugin}/{asset.path}" for asset in self.plugins.registry.assets)
        return [name for name in registered if name.endswith(suffix) and self.assets.has(name)]


_site: Site | None = None


def configure(plugins: PluginManager, config: Config) -> Site:
    """Set up the site of this process; ``SetupError`` when its theme is missing or broken."""
    global _site
    _site = Site(plugins, config)
    return _site


def render(req: Request, template: str, /, **variables: Any) -> str:
    """A template as HTML, with the variables of ``Site.view`` and those given."""
    assert _site is not None, "stellar.web.site.configure() comes first"
    return _site.templates.render(template, _site.view(req) | variables)


def fragment(template: str, view: Mapping[str, Any], /, **variables: Any) -> str:
    """A template as HTML for a slot: with the variables of the page that it goes into, and those given."""
    assert _site is not None
    return _site.templates.render(template, {**view, **variables})


async def page(
    req: Request, template: str, /, *, status: int = 200, inline_styles: bool = False, **variables: Any
) -> Html:
    """A page as an answer, rendered in a database thread because hooks may read the database.

    The variable ``style_nonce`` is for scripts that make style elements; ``inline_styles`` allows any style instead.
    """
    from ..http.answers import Html

    nonce = "" if inline_styles else secrets.token_urlsafe(12)
    text = await db.call(render, req, template, style_nonce=nonce, **variables)
    policy = content_security_policy(style_nonce=nonce, inline_styles=inline_styles)
    return Html(text, status=status, headers={"Content-Security-Policy": policy})


def error_page(req: Request, problem: Problem) -> str:
    """A problem as a page."""
    return render(req, "core/error.html", problem=problem)


def _scheme(req: Request) -> str:
    """The colours that the account, or this browser, has chosen."""
    chosen = req.session.theme if req.session else req.cookie(SCHEME_COOKIE)
    return chosen if chosen is not None and chosen in DARK_MEDIA else "system"


def _time_zone(req: Request) -> str:
    """The zone that the account has chosen; empty for UTC, which is no choice yet: the browser's own, then."""
    zone = req.session.time_zone if req.session else "UTC"
    return "" if zone == "UTC" else zone


def _core_items(location: str) -> tuple[MenuItem, ...]:
    if location != "main":
        return ()
    return (MenuItem("Dashboard", "/dashboard", "home", 10), MenuItem("Settings", "/settings", "sliders", 90))
