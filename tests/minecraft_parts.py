"""What stands in for Minecraft: a small server in Java, Mojang's list of versions, Adoptium's Java."""

from __future__ import annotations

from typing import Any

from game_sources import Sources, sha1, sha256

MANIFEST = "https://piston-meta.mojang.com/mc/game/version_manifest_v2.json"
ADOPTIUM = "https://api.adoptium.net/v3/assets/latest"

SERVER = """
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.util.*;

public class Server {
    public static void main(String[] args) throws Exception {
        Path eula = Paths.get("eula.txt");
        if (!Files.exists(eula) || !new String(Files.readAllBytes(eula)).contains("eula=true")) {
            Files.write(eula, "eula=false\\n".getBytes());
            System.out.println("You need to agree to the EULA in order to run the server. Go to eula.txt.");
            return;
        }
        Properties properties = new Properties();
        properties.load(new FileReader("server.properties"));
        int port = Integer.parseInt(properties.getProperty("server-port"));
        ServerSocket socket = new ServerSocket(port, 5, InetAddress.getByName(properties.getProperty("server-ip")));
        System.out.println("java " + System.getProperty("java.specification.version"));
        System.out.println("heap " + Runtime.getRuntime().maxMemory() / 1048576);
        System.out.println("flag " + System.getProperty("flag") + " args " + String.join(",", args));
        System.out.println("motd " + properties.getProperty("motd"));
        System.out.println("[12:00:00] [Server thread/INFO]: Done (1.234s)! For help, type \\"help\\"");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null && !line.equals("stop"); );
        System.out.println("Saving worlds");
        System.exit(0);
    }
}
"""


def mojang(sources: Sources, jar: bytes, **needs: int) -> None:
    """Mojang's list, newest first, with what Java each version needs; the first is a snapshot."""
    entries = []
    for name, major in needs.items():
        version = name.replace("_", ".").lstrip("v")
        details: dict[str, Any] = {"id": version, "downloads": {}, "javaVersion": {"majorVersion": major}}
        if version != "1.2.4":
            url = f"https://piston-data.mojang.com/v1/objects/{version}/server.jar"
            details["downloads"]["server"] = {"sha1": sha1(jar), "size": len(jar), "url": url}
            sources.put(url, jar)
        if major == 8:
            del details["javaVersion"]
        url = f"https://piston-meta.mojang.com/v1/packages/{version}.json"
        data = sources.put(url, details)
        entries.append({"id": version, "type": "release", "url": url, "sha1": sha1(data)})
    latest = {"release": entries[1]["id"], "snapshot": entries[0]["id"]}
    sources.put(MANIFEST, {"latest": latest, "versions": entries})


def play(server: Any, *expected: bytes) -> None:
    """Accept the EULA, start, and stop by the console."""
    server.start()
    server.wait_output(b"You need to agree to the EULA")
    server.wait_exit(20)
    (server.home / "eula.txt").write_text("eula=true\n")
    server.start()
    server.wait_done()
    for text in expected:
        assert text in server.output
    assert server.stop() == 0
    assert b"Saving worlds" in server.output


def offer_java(sources: Sources, major: int, archive: bytes, checksum: str | None = None) -> None:
    """Adoptium's answer for a version, and what it leads to."""
    link = f"https://github.com/adoptium/temurin{major}-binaries/releases/download/x/jre.tar.gz"
    sources.put(link, location=f"https://objects.githubusercontent.com/{major}.tar.gz")
    sources.put(f"https://objects.githubusercontent.com/{major}.tar.gz", archive)
    package = {"checksum": checksum or sha256(archive), "link": link, "name": "jre.tar.gz", "size": len(archive)}
    for architecture in ("x64", "aarch64"):
        query = f"architecture={architecture}&image_type=jre&os=linux&vendor=eclipse"
        sources.put(f"{ADOPTIUM}/{major}/hotspot?{query}", [{"binary": {"package": package}}])
