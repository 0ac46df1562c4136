"""The API of administrators."""

from __future__ import annotations

from stellar import settings
from stellar.auth import passwords
from stellar.db import call, read
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.plugins.nodes.routes import join_command
from stellar.plugins.nodes.schemas import JoinCommand
from stellar.settings import SettingView

from . import accounts, audit_log, impersonation, jobs, overview, service
from .schemas import (
    AccountPage,
    AccountView,
    CreateUser,
    Health,
    PatchUser,
    PluginView,
    SettingValue,
    Stats,
    UsersQuery,
)


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/admin/users", Users())
    routes.add("/admin/users/{user_id}", OneUser())
    routes.add("/admin/users/{user_id}/suspend", Suspension())
    routes.add("/admin/users/{user_id}/unsuspend", Readmission())
    routes.add("/admin/stats", Statistics())
    routes.add("/admin/nodes/{node_id}/token", NodeToken())
    routes.add("/admin/plugins", Plugins())
    routes.add("/admin/health", HealthChecks())
    routes.add("/admin/settings", Settings())
    routes.add("/admin/settings/{key}", OneSetting())
    for part in (audit_log, impersonation, jobs):
        part.add_routes(routes)


class Users:
    """``/admin/users``"""

    @endpoint(permission="accounts.read", query=UsersQuery, returns=AccountPage)
    async def on_get(self, req: Request, query: UsersQuery) -> AccountPage:
        """List the accounts."""
        return await read(accounts.list_accounts, query)

    @endpoint(permission="accounts.manage", body=CreateUser, returns=AccountView, status=201)
    async def on_post(self, req: Request, body: CreateUser) -> AccountView:
        """Make an account."""
        passwords.check_new(body.password, body.email)
        return await call(service.create_account, req.actor, body, await passwords.hash_async(body.password))


class OneUser:
    """``/admin/users/{user_id}``"""

    @endpoint(permission="accounts.read", returns=AccountView)
    async def on_get(self, req: Request, user_id: str) -> AccountView:
        """Show an account."""
        return await read(accounts.get_account, user_id)

    @endpoint(permission="accounts.manage", body=PatchUser, returns=AccountView)
    async def on_patch(self, req: Request, user_id: str, body: PatchUser) -> AccountView:
        """Rename, promote, demote, suspend or unsuspend an account; suspending ends its sessions at once."""
        return await call(service.change_account, req.actor, user_id, body)

    @endpoint(permission="accounts.manage")
    async def on_delete(self, req: Request, user_id: str) -> None:
        """Delete an account that owns no servers."""
        await call(service.delete_account, req.actor, user_id)


class Suspension:
    """``/admin/users/{user_id}/suspend``"""

    @endpoint(permission="accounts.manage", returns=AccountView)
    async def on_post(self, req: Request, user_id: str) -> AccountView:
        """Suspend an account and end its sessions at once."""
        return await call(service.change_account, req.actor, user_id, PatchUser(suspended=True))


class Readmission:
    """``/admin/users/{user_id}/unsuspend``"""

    @endpoint(permission="accounts.manage", returns=AccountView)
    async def on_post(self, req: Request, user_id: str) -> AccountView:
        """Let a suspended account in again."""
        return await call(service.change_account, req.actor, user_id, PatchUser(suspended=False))


class Statistics:
    """``/admin/stats``"""

    @endpoint(permission="admin.read", returns=Stats)
    async def on_get(self, req: Request) -> Stats:
        """Show the installation in figures."""
        return await overview.stats()


class NodeToken:
    """``/admin/nodes/{node_id}/token``"""

    @endpoint(permission="nodes.manage", returns=JoinCommand, status=201)
    async def on_post(self, req: Request, node_id: str) -> JoinCommand:
        """Make a new join token; the node's earlier unused ones stop working."""
        return await join_command(req, node_id)


class Plugins:
    """``/admin/plugins``"""

    @endpoint(permission="admin.read", returns=list[PluginView])
    async def on_get(self, req: Request) -> list[PluginView]:
        """List the plugins, and why one is disabled."""
        return overview.plugins(req.panel)


class HealthChecks:
    """``/admin/health``"""

    @endpoint(permission="admin.read", returns=Health)
    async def on_get(self, req: Request) -> Health:
        """Check everything that the panel needs."""
        return await overview.health(req.panel)


class Settings:
    """``/admin/settings``"""

    @endpoint(permission="settings.manage", returns=list[SettingView])
    async def on_get(self, req: Request) -> list[SettingView]:
        """List the settings."""
        return await call(settings.listing)


class OneSetting:
    """``/admin/settings/{key}``"""

    @endpoint(permission="settings.manage", body=SettingValue)
    async def on_put(self, req: Request, key: str, body: SettingValue) -> None:
        """Change a setting."""
        await call(settings.put, req.actor, key, body.value)
