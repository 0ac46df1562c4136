import { api, apiPath, Problem } from "@stellar/web";

export interface Stats {
  state: string;
  cpu_percent: number;
  memory_bytes: number;
  disk_bytes: number;
  uptime: number;
}

export interface Status {
  state: string;
  node_online: boolean;
  exit_code: number | null;
  exit_signal: number | null;
  out_of_memory: boolean;
}

interface Token {
  token: string;
  url: string;
  expires_at: string;
}

type Frame =
  | { type: "output"; seq: number; data: string }
  | ({ type: "status" } & Status)
  | ({ type: "stats" } & Stats)
  | { type: "gap"; from: number; to: number }
  | { type: "token_expiring" }
  | { type: "error"; code: string; message: string };

export interface Handlers {
  output(data: string): void;
  gap(bytes: number): void;
  status(status: Status): void;
  stats(stats: Stats): void;
  problem(message: string): void;
  /** `retryIn` is in seconds while the connection is away. */
  link(state: "connecting" | "live" | "lost", retryIn?: number, reason?: string): void;
}

const FIRST_WAIT = 0.5;
const LONGEST_WAIT = 15;
/** Seconds that a connection has to last before the next loss is retried quickly again. */
const STABLE = 5;
const FINAL = new Set([401, 403, 404]);
const encoder = new TextEncoder();

/**
 * The console's WebSocket. It remembers the offset of the next byte, so that after any loss of the connection the
 * output goes on exactly there.
 */
export class ConsoleClient {
  private socket: WebSocket | undefined;
  private next: number | undefined;
  private wait = FIRST_WAIT;
  private timer: number | undefined;
  private opened = 0;
  private size: { cols: number; rows: number } | undefined;
  private attempt = 0;

  constructor(
    private readonly serverId: string,
    private readonly handlers: Handlers,
  ) {
    window.addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.timer !== undefined) this.retry();
    });
  }

  /** Connect now, whatever the back-off says; does nothing while connected. */
  retry(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.socket) void this.connect();
  }

  send(data: string): void {
    this.frame({ type: "input", data });
  }

  resize(cols: number, rows: number): void {
    if (this.size?.cols === cols && this.size.rows === rows) return;
    this.size = { cols, rows };
    this.frame({ type: "resize", cols, rows });
  }

  /** The same size again makes a full-screen program draw itself anew. */
  redraw(): void {
    if (this.size) this.frame({ type: "resize", ...this.size });
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempt;
    this.handlers.link("connecting");
    let token: Token;
    try {
      token = await this.token();
    } catch (error) {
      if (attempt === this.attempt) this.refused(error as Problem);
      return;
    }
    if (attempt !== this.attempt || this.socket) return;
    const url = new URL(token.url, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.addEventListener("open", () => this.begin());
    socket.addEventListener("message", (event) => this.receive(JSON.parse(String(event.data)) as Frame));
    socket.addEventListener("close", () => {
      if (this.socket === socket) this.lost("The connection to the panel was lost.");
    });
  }

  private token(): Promise<Token> {
    return api<Token>("GET", apiPath("servers", this.serverId, "console-token"));
  }

  private begin(): void {
    this.opened = performance.now();
    if (this.next !== undefined) this.frame({ type: "resume", after: this.next });
    this.redraw();
    this.handlers.link("live");
  }

  private frame(frame: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  private receive(frame: Frame): void {
    switch (frame.type) {
      case "output":
        this.output(frame.seq, frame.data);
        break;
      case "gap":
        this.gap(frame.from, frame.to);
        break;
      case "status":
        this.handlers.status(frame);
        break;
      case "stats":
        this.handlers.stats(frame);
        break;
      case "token_expiring":
        void this.renew();
        break;
      case "error":
        this.handlers.problem(frame.message);
    }
  }

  /** Output further on, without a gap before it, is older history that was under way when we asked to resume. */
  private output(seq: number, data: string): void {
    const length = encoder.encode(data).length;
    const known = this.next === undefined ? 0 : this.next - seq;
    if (known >= length || known < 0) return;
    this.next = seq + length;
    this.handlers.output(known > 0 ? new TextDecoder().decode(encoder.encode(data).subarray(known)) : data);
  }

  private gap(from: number, to: number): void {
    if (this.next !== undefined && this.next !== from) return;
    this.next = to;
    this.handlers.gap(Math.max(0, to - from));
  }

  private async renew(): Promise<void> {
    try {
      this.frame({ type: "auth", token: (await this.token()).token });
    } catch {
      // The panel closes the socket when the token has expired, and then the usual reconnection tells why.
    }
  }

  private refused(problem: Problem): void {
    if (FINAL.has(problem.status)) {
      this.handlers.link("lost", undefined, problem.message);
      return;
    }
    this.lost(problem.message);
  }

  private lost(reason: string): void {
    this.socket = undefined;
    if (this.opened && performance.now() - this.opened > STABLE * 1000) this.wait = FIRST_WAIT;
    this.opened = 0;
    const seconds = this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    this.handlers.link("lost", seconds, reason);
    this.timer = window.setTimeout(() => this.retry(), seconds * 1000);
  }
}
