import { all, api, one, size } from "@stellar/web";
import { Chart, type Line, type Unit, type Values } from "./chart";

type Span = "hour" | "day" | "month";
const EVERY_MS: Record<Span, number> = { hour: 10_000, day: 60_000, month: 300_000 };
const POINTS = 360;
const LOOK_MS = 1_000;

type Series =
  | "cpu_percent"
  | "memory_bytes"
  | "disk_bytes"
  | "network_rx_rate"
  | "network_tx_rate"
  | "io_read_rate"
  | "io_write_rate"
  | "players";
type History = { start: number; step: number } & Record<Series, Values>;
interface Stats {
  unknown: Record<string, string>;
}

const PERCENT: Unit = { write: (value) => `${value.toFixed(value < 10 && value % 1 ? 1 : 0)} %`, binary: false, floor: 5 };
const BYTES: Unit = { write: size, binary: true, floor: 1024 };
const RATE: Unit = { write: (value) => `${size(Math.round(value))}/s`, binary: true, floor: 1024 };
const COUNT: Unit = { write: (value) => String(Math.round(value * 10) / 10), binary: false, floor: 4 };

interface Kind {
  title: string;
  unit: Unit;
  lines: [Series, string][];
}
const KINDS: Record<string, Kind> = {
  cpu: { title: "CPU", unit: PERCENT, lines: [["cpu_percent", ""]] },
  memory: { title: "Memory", unit: BYTES, lines: [["memory_bytes", ""]] },
  disk: { title: "Disk", unit: BYTES, lines: [["disk_bytes", ""]] },
  players: { title: "Players", unit: COUNT, lines: [["players", ""]] },
  network: {
    title: "Network",
    unit: RATE,
    lines: [
      ["network_rx_rate", "received"],
      ["network_tx_rate", "sent"],
    ],
  },
  io: {
    title: "Disk traffic",
    unit: RATE,
    lines: [
      ["io_read_rate", "read"],
      ["io_write_rate", "written"],
    ],
  },
};

/** The charts of a server's page: they show the chosen time and go on by themselves. */
class Charts {
  private readonly charts: { name: string; lines: Kind["lines"]; chart: Chart }[];
  private readonly path: string;
  private readonly problem: HTMLElement;
  private span: Span = "hour";
  private timer = 0;
  private asked = 0;
  private unknown: Record<string, string> | undefined;

  constructor(private readonly root: HTMLElement) {
    this.path = root.dataset["history"] ?? "";
    this.problem = one("[data-problem]", root);
    this.charts = all("[data-chart]", root).map((figure) => {
      const name = figure.dataset["chart"] ?? "";
      const kind = KINDS[name];
      if (!kind) throw new Error(`there is no chart ${name}`);
      return { name, lines: kind.lines, chart: new Chart(figure, kind.title, kind.unit) };
    });
    for (const button of all("[data-span]", root)) {
      button.addEventListener("click", () => this.choose(button.dataset["span"] as Span));
    }
    document.addEventListener("visibilitychange", () => void this.load());
  }

  async load(): Promise<void> {
    window.clearTimeout(this.timer);
    if (document.hidden) return;
    if (this.beingMade()) {
      this.problem.textContent = "There will be figures once it is installed.";
      this.timer = window.setTimeout(() => void this.load(), LOOK_MS);
      return;
    }
    this.asked += 1;
    const number = this.asked;
    try {
      this.unknown ??= (await api<Stats>("GET", `${this.path}/stats`)).unknown;
      const history = await api<History>("GET", `${this.path}/history?span=${this.span}&points=${POINTS}`);
      if (number !== this.asked) return;
      this.problem.textContent = "";
      this.show(history, this.unknown);
    } catch (error) {
      if (number !== this.asked) return;
      this.problem.textContent = (error as Error).message;
    }
    this.timer = window.setTimeout(() => void this.load(), EVERY_MS[this.span]);
  }

  /** While it is installed for the first time, its node may not know it yet. */
  private beingMade(): boolean {
    return this.root.dataset["new"] !== undefined && one("#server-live").dataset["state"] === "installing";
  }

  private show(history: History, unknown: Record<string, string>): void {
    for (const { name, lines, chart } of this.charts) {
      const drawn: Line[] = lines.map(([series, label]) => ({ name: label, values: history[series] }));
      chart.show({ start: history.start, step: history.step, span: this.span }, drawn, unknown[name]);
    }
  }

  private choose(span: Span): void {
    this.span = span;
    for (const button of all("[data-span]", this.root)) {
      button.setAttribute("aria-pressed", String(button.dataset["span"] === span));
    }
    void this.load();
  }
}

/** Where there are charts: a node that is offline can't be asked. */
export function startCharts(): void {
  for (const root of all("[data-history]")) void new Charts(root).load();
}
