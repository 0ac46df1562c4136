# Leaves an existing server.cfg alone.
set -e
[ -e server.cfg ] || cat > server.cfg <<'END'
# Your own settings, one a line. The server's variables in the panel win over them.
sv_high_bandwidth 0
sv_warmup 0
sv_vote_kick 1
sv_inactivekick 1
END
echo "server.cfg is ready."
