"""The markers that make a function a hook or an implementation of one."""

import pluggy

hookspec = pluggy.HookspecMarker("stellar")
hookimpl = pluggy.HookimplMarker("stellar")
