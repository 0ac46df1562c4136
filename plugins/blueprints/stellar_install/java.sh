# Written by the install: starts the right Java as `sh .stellar/java ARGUMENTS …`, with a heap that fits the server.
least=@LEAST@ most=@MOST@

major_of() {
    text=$(sed -n 's/^JAVA_VERSION="\{0,1\}\([^"]*\).*/\1/p' "$1/release" 2>/dev/null)
    [ -n "$text" ] || text=$("$1/bin/java" -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p')
    text=${text#1.}
    printf %s "${text%%[!0-9]*}"
}

java='' best=$((most + 1)) others=''
for home in .stellar/java-* "$JAVA_HOME" /opt/java/* /usr/lib/jvm/* /usr /usr/local; do
    [ -x "$home/bin/java" ] || continue
    major=$(major_of "$home")
    [ -n "$major" ] || continue
    others="$others $major"
    if [ "$major" -ge "$least" ] && [ "$major" -lt "$best" ]; then
        best=$major java=$home/bin/java
    fi
done
if [ -z "$java" ]; then
    wanted="Java $least"
    [ "$most" -eq "$least" ] || wanted="$wanted or newer"
    echo "[!] This version requires running the server with $wanted; here is${others:- none}."
    echo "[!] Install the server again, or choose an image with it, or run on the node: apt-get install openjdk-$least-jre-headless"
    exit 1
fi

# A quarter of the memory, at most 1.5 GiB, is left for what lies outside of Java's heap.
heap=''
if [ "${SERVER_MEMORY:-0}" -gt 0 ]; then
    spare=$((SERVER_MEMORY / 4))
    [ "$spare" -le 1536 ] || spare=1536
    heap=-Xmx$((SERVER_MEMORY - spare))M
fi
set -f
# shellcheck disable=SC2086
exec "$java" $heap $JVM_FLAGS "$@"
