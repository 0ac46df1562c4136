"""The ``docker`` runtime: every run is a container of this machine's Docker (or Podman, through its Docker socket).

``runtime`` is the way in, ``run`` one attached container. ``container`` says how it is made, ``images``, ``registries``
and ``helpers`` where its image comes from, ``network`` and ``mounts`` what it reaches, ``output`` and ``history`` how
what it prints gets into the console log without a gap, ``signals`` how the game is told to stop, ``client`` is the
connection, and ``podman`` what is otherwise there.
"""
