"""An example of a third-party plugin: it uses every hook, each in its smallest useful form."""

from __future__ import annotations

from stellar.extend import Manifest, hookimpl

manifest = Manifest(
    name="example",
    version="1.2.3",
    description="Uses every hook",
    requires=("nodes", "servers"),
    hookspecs="stellar_example.hookspecs",
)


@hookimpl
def register_config(config):
    from .settings import ExampleSettings

    config.section("example", ExampleSettings)


@hookimpl
def register_commands(cli):
    cli.add("example", "stellar_example.cli:example", "Say hello.")


@hookimpl
def register_models():
    from .models import MODELS

    return MODELS


@hookimpl
def register_permissions(permissions):
    permissions.add("example.greet", "Greet people", roles=("user",))


@hookimpl
def register_settings(settings):
    settings.add("example.shout", bool, False, "Greet in capital letters")


@hookimpl
def register_jobs(jobs):
    jobs.add("example.greet", "stellar_example.jobs:greet", retries=1)


@hookimpl
def register_events(events):
    from .events import heard

    events.on("stellar:events:global", heard)


@hookimpl
def register_routes(routes):
    from .routes import Greetings

    routes.add("/x/example/greetings", Greetings())


@hookimpl
def register_pages(pages):
    from .pages import GreetingPage

    pages.add("/x/example/", GreetingPage())


@hookimpl
def register_assets(assets):
    assets.add("example.css")


@hookimpl
def register_health(checks):
    checks.add("greetings", lambda: None)


@hookimpl
def register_agent(agent):
    from .agent import register

    register(agent)


@hookimpl
def startup(app):
    from .events import note

    note(f"startup {app.role}")


@hookimpl
def prepare_run(app):
    from .events import note

    note("prepare_run")


@hookimpl
def shutdown(app):
    from .events import note

    note(f"shutdown {app.role}")


@hookimpl
def authenticate(credentials):
    from .service import actor_of

    return actor_of(credentials.get("x-example-secret", ""))


@hookimpl
def permission_allowed(actor, action, resource):
    return False if actor.name == "Nobody at all" else None


@hookimpl
def visible_events(actor):
    return {"greeting": None} if actor.allowed("example.greet") else {}


@hookimpl
def menu_items(actor, location):
    from stellar.web.menu import MenuItem

    return [MenuItem("Greetings", "/x/example/")] if location == "main" else []


@hookimpl
def page_slot(slot, view):
    return "<p>Hello from the example plugin.</p>" if slot == "dashboard.top" else None


@hookimpl
def template_vars(view):
    return {"example_greeting": "Hello"}


@hookimpl
def register_node_reports(reports):
    from .service import apply_greeting

    reports.on("example.greeted", apply_greeting)


@hookimpl
def node_specs(node_id):
    return ()


@hookimpl
def node_server_ids(node_id):
    return ()


@hookimpl
def node_server_names(actor, server_ids):
    return {}


@hookimpl
def node_changed(node_id):
    from .events import note

    note("node changed")


@hookimpl
def node_removed(actor, node_id):
    from .events import note

    note("node removed")


@hookimpl
def blueprint_uses(blueprint_id):
    return 0


@hookimpl
def blueprint_changed(blueprint_id):
    from .events import note

    note("blueprint changed")


@hookimpl
def server_before_action(actor, server, action):
    from .service import veto

    veto(server, action)


@hookimpl
def server_event(server, event, data):
    from .events import note

    note(f"server {event}")


@hookimpl
def register_runtimes(runtimes):
    from .runtime import InnerRuntime

    runtimes.add("inner", InnerRuntime)
