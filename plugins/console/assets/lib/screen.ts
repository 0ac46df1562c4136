import { FitAddon } from "@xterm/addon-fit";
import { Terminal, type ITheme } from "@xterm/xterm";

const SCROLLBACK = 20_000;
/** The sixteen colours, readable on the dark surface of every theme. */
const COLOURS: ITheme = {
  black: "#2b3145",
  red: "#ff7b72",
  green: "#6fdc8c",
  yellow: "#f2cc60",
  blue: "#79b8ff",
  magenta: "#d2a8ff",
  cyan: "#76e3ea",
  white: "#d8dbe4",
  brightBlack: "#7d869c",
  brightRed: "#ffa198",
  brightGreen: "#a0f0b5",
  brightYellow: "#ffe08a",
  brightBlue: "#a5d1ff",
  brightMagenta: "#e5ccff",
  brightCyan: "#b3f0f5",
  brightWhite: "#ffffff",
};

/** Any CSS colour as xterm.js understands it. */
function rgb(colour: string): string {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!context) return colour;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function theme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const background = rgb(style.getPropertyValue("--code-bg").trim());
  const foreground = rgb(style.getPropertyValue("--code-ink").trim());
  return { ...COLOURS, background, foreground, cursor: "#ffc353", cursorAccent: background };
}

/** The terminal on the page, always as large as its place. */
export class Screen {
  readonly terminal: Terminal;
  private readonly fit = new FitAddon();

  constructor(
    private readonly host: HTMLElement,
    private readonly onSize: (cols: number, rows: number) => void,
  ) {
    const style = getComputedStyle(document.documentElement);
    this.terminal = new Terminal({
      theme: theme(),
      fontFamily: style.getPropertyValue("--font-mono").trim(),
      fontSize: window.innerWidth < 700 ? 12 : 13.5,
      lineHeight: 1.25,
      scrollback: SCROLLBACK,
      screenReaderMode: false,
      disableStdin: true,
      cursorInactiveStyle: "none",
      allowProposedApi: false,
    });
    this.terminal.loadAddon(this.fit);
    this.terminal.open(host);
    new ResizeObserver(() => this.measure()).observe(host);
    document.addEventListener("stellar:scheme", () => {
      this.terminal.options.theme = theme();
    });
    this.measure();
  }

  /** A line of our own amid the output. */
  note(text: string): void {
    this.terminal.write(`\r\n\x1b[2m── ${text} ──\x1b[0m\r\n`);
  }

  /** Whether every key goes to the game. */
  setKeys(active: boolean): void {
    this.terminal.options.disableStdin = !active;
    this.host.classList.toggle("has-keys", active);
    if (active) this.terminal.focus();
  }

  private measure(): void {
    this.fit.fit();
    this.onSize(this.terminal.cols, this.terminal.rows);
  }
}
