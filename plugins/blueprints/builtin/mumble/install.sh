# Leaves an existing mumble-server.ini alone.
set -e
if ! command -v mumble-server >/dev/null && ! command -v murmurd >/dev/null; then
  echo '[!] This node lacks Mumble. Install it there with: apt-get install mumble-server'
  exit 1
fi
[ -e mumble-server.ini ] || cat > mumble-server.ini <<'END'
; Your own settings, one a line. The server's variables in the panel win over them.
END
echo "mumble-server.ini is ready."
