import "@xterm/xterm/css/xterm.css";
import "./lib/console.css";

import { api, apiPath, duration, one, Problem, refresh, size } from "@stellar/web";

import { ConsoleClient, type Stats, type Status } from "./lib/client";
import { History } from "./lib/history";
import { Screen } from "./lib/screen";

const root = one("#console");
const serverId = root.dataset["server"] ?? "";
const linkText = one("[data-console-link]", root);
const banner = one("[data-console-banner]", root);
const problem = one("[data-console-problem]", root);
const keys = one("[data-console-keys]", root);
const form = one<HTMLFormElement>("[data-console-form]", root);
const input = one<HTMLInputElement>("#console-input", root);
const history = new History(`stellar.console.${serverId}`);
const SETTLED = 1;
const RAN = ["starting", "running", "stopping"];
let state = root.dataset["state"] ?? "";

const client = new ConsoleClient(serverId, {
  output: (data) => screen.terminal.write(data),
  gap: (bytes) => screen.note(bytes ? `${size(bytes)} of output are no longer in the log` : "the log begins anew"),
  status: showStatus,
  stats: showStats,
  problem: showProblem,
  link: showLink,
});
const screen = new Screen(one("[data-console-screen]", root), (cols, rows) => client.resize(cols, rows));

function figure(name: string, text: string): void {
  one(`[data-console-${name}]`, root).textContent = text;
}

function showStats(stats: Stats): void {
  const runs = stats.memory_bytes > 0;
  figure("uptime", runs ? duration(stats.uptime) : "–");
  figure("cpu", runs ? `${stats.cpu_percent.toFixed(0)} %` : "–");
  figure("memory", runs ? size(stats.memory_bytes) : "–");
}

function showStatus(status: Status): void {
  if (!status.node_online) showProblem("The node doesn't answer; the output goes on when it is back.");
  else problem.hidden = true;
  if (status.state === state) return;
  const ran = RAN.includes(state);
  state = root.dataset["state"] = status.state;
  if (ran && state === "offline") screen.note(ending(status));
  // What a program printed while it took over the screen is still in its way.
  if (state === "running") window.setTimeout(() => client.redraw(), SETTLED * 1000);
  refresh();
}

function ending(status: Status): string {
  if (status.out_of_memory) return "the game was ended because it used up its memory";
  if (status.exit_signal !== null) return `the game was ended by signal ${status.exit_signal}`;
  if (status.exit_code) return `the game ended with exit code ${status.exit_code}`;
  return "the game has stopped";
}

function showProblem(message: string): void {
  problem.textContent = message;
  problem.hidden = false;
}

function showLink(link: "connecting" | "live" | "lost", retryIn?: number, reason?: string): void {
  linkText.dataset["state"] = link;
  linkText.textContent = { connecting: "Connecting…", live: "Live", lost: "Not connected" }[link];
  if (link === "connecting") return;
  banner.hidden = link === "live";
  const wait = retryIn === undefined ? "" : ` Trying again in ${Math.ceil(retryIn)} s; nothing is missed.`;
  one("[data-console-banner-text]", banner).textContent = `${reason ?? ""}${wait}`;
}

async function send(command: string): Promise<void> {
  try {
    await api("POST", apiPath("servers", serverId, "command"), { command });
    problem.hidden = true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(error.message);
  }
}

function setKeys(active: boolean): void {
  keys.setAttribute("aria-pressed", String(active));
  screen.setKeys(active);
  if (!active) input.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const command = input.value;
  if (!command.trim()) return;
  history.add(command);
  input.value = "";
  screen.terminal.scrollToBottom();
  void send(command);
});

input.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  event.preventDefault();
  const found = history.step(event.key === "ArrowUp" ? -1 : 1, input.value);
  if (found !== undefined) input.value = found;
});

screen.terminal.onData((data) => client.send(data));
screen.terminal.attachCustomKeyEventHandler((event) => {
  if (!(event.ctrlKey && event.shiftKey && event.code === "KeyK")) return true;
  event.preventDefault();
  if (event.type === "keydown") setKeys(false);
  return false;
});
keys.addEventListener("click", () => setKeys(keys.getAttribute("aria-pressed") !== "true"));
one("[data-console-clear]", root).addEventListener("click", () => screen.terminal.clear());
one("[data-console-retry]", root).addEventListener("click", () => client.retry());

client.retry();
input.focus({ preventScroll: true });
