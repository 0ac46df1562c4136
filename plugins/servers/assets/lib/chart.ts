import { element, monthDay, one, timeOfDay } from "@stellar/web";
import uPlot from "uplot";

const HEIGHT = 152;
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, power) => 2 ** power);
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1_000_000];

export type Values = (number | null)[];
export interface Line {
  name: string;
  values: Values;
}
export interface Times {
  start: number;
  step: number;
  span: string;
}
export interface Unit {
  write: (value: number) => string;
  binary: boolean;
  /** The least that the axis goes up to. */
  floor: number;
}

/** A figure with one or two lines over time, and in words what they show. */
export class Chart {
  private readonly plot: HTMLElement;
  private readonly figures: HTMLElement;
  private drawn: uPlot | undefined;
  private shown: [Times, Line[]] | undefined;

  constructor(
    private readonly root: HTMLElement,
    private readonly title: string,
    private readonly unit: Unit,
  ) {
    this.plot = one("[data-plot]", root);
    this.figures = one("[data-figures]", root);
    new ResizeObserver(() => this.drawn?.setSize({ width: this.plot.clientWidth, height: HEIGHT })).observe(this.plot);
    document.addEventListener("stellar:scheme", () => window.requestAnimationFrame(() => this.redraw()));
  }

  show(times: Times, lines: Line[], unknown: string | undefined): void {
    this.shown = [times, lines];
    this.describe(times, lines, unknown);
    const known = lines.some(({ values }) => values.some((value) => value !== null));
    this.plot.hidden = !known;
    if (!known) this.clear();
    else if (this.drawn?.series.length === lines.length + 1) this.drawn.setData(data(times, lines));
    else this.draw(times, lines);
  }

  private describe(times: Times, lines: Line[], unknown: string | undefined): void {
    const summaries = lines.map((line, index) => this.summary(line, index)).filter((summary) => summary !== undefined);
    this.plot.setAttribute("role", "img");
    const spoken = summaries.map(({ text, mean }) => `${text}, mean ${mean}`).join("; ");
    this.plot.setAttribute("aria-label", `${this.title} in the last ${times.span}: ${spoken}`);
    this.figures.replaceChildren(...summaries.map(({ text, index }) => marked(text, index)));
    if (!summaries.length) this.figures.textContent = unknown ?? `Nothing was measured in the last ${times.span}.`;
  }

  private summary({ name, values }: Line, index: number): { text: string; mean: string; index: number } | undefined {
    const known = values.filter((value) => value !== null);
    if (!known.length) return undefined;
    const { write } = this.unit;
    const last = values.at(-1) ?? values.at(-2) ?? null;
    const now = last === null ? "" : `now ${write(last)}, `;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    return { text: `${name ? `${name} ` : ""}${now}peak ${write(Math.max(...known))}`, mean: write(mean), index };
  }

  private draw(times: Times, lines: Line[]): void {
    this.clear();
    const style = getComputedStyle(this.root);
    const colour = (token: string): string => style.getPropertyValue(token).trim();
    const axis: uPlot.Axis = {
      stroke: colour("--ink-faint"),
      font: `11px ${style.fontFamily}`,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const { write, binary, floor } = this.unit;
    const colours = [colour("--accent"), colour("--star")];
    const series = lines.map(({ name }, index) => ({
      label: name,
      stroke: colours[index] ?? "",
      ...(index ? {} : { fill: `color-mix(in oklab, ${colours[0]} 12%, transparent)` }),
      width: 1.5,
      points: { size: 4 },
    }));
    const options: uPlot.Options = {
      width: this.plot.clientWidth,
      height: HEIGHT,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "history" }, y: false, drag: { setScale: false, x: false, y: false } },
      scales: {
        x: { range: (self) => [self.data[0][0] ?? 0, self.data[0].at(-1) ?? 1] },
        y: { range: (_self, _low, high) => [0, Math.max(floor, (high ?? 0) * 1.1)] },
      },
      series: [{}, ...series],
      axes: [
        { ...axis, size: 24, space: 60, values: (_self, ticks) => ticks.map((tick) => this.moment(tick)) },
        {
          ...axis,
          size: 64,
          space: 30,
          incrs: binary ? POWERS_OF_TWO : WHOLE,
          values: (_self, ticks) => ticks.map(write),
        },
      ],
      hooks: { setCursor: [(self) => this.readOut(self.cursor.idx ?? null)] },
    };
    this.drawn = new uPlot(options, data(times, lines), this.plot);
  }

  /** Say the values under the pointer, or again those of the whole time. */
  private readOut(index: number | null): void {
    if (!this.shown) return;
    const [times, lines] = this.shown;
    if (index === null) {
      this.describe(times, lines, undefined);
      return;
    }
    const at = new Date((times.start + index * times.step) * 1000);
    const when = `${times.span === "month" ? `${monthDay(at)} ` : ""}${timeOfDay(at)}`;
    const texts = lines.map(({ name, values }) => {
      const value = values[index] ?? null;
      return `${when} ${name ? `${name} ` : ""}${value === null ? "not known" : this.unit.write(value)}`;
    });
    this.figures.replaceChildren(...texts.map(marked));
  }

  private moment(seconds: number): string {
    const moment = new Date(seconds * 1000);
    return this.shown?.[0].span === "month" ? monthDay(moment) : timeOfDay(moment);
  }

  private redraw(): void {
    if (this.drawn && this.shown) this.draw(...this.shown);
  }

  private clear(): void {
    this.drawn?.destroy();
    this.drawn = undefined;
  }
}

function data(times: Times, lines: Line[]): uPlot.AlignedData {
  const length = lines[0]?.values.length ?? 0;
  return [Array.from({ length }, (_, index) => times.start + index * times.step), ...lines.map(({ values }) => values)];
}

function marked(text: string, index: number): HTMLElement {
  return element("span", { "data-series": String(index) }, text);
}
