const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 40;

/** A small line of the last values in an `<svg class="spark">`. */
export class Sparkline {
  private readonly values: number[] = [];
  private readonly line = document.createElementNS(SVG, "path");
  private readonly area = document.createElementNS(SVG, "path");

  constructor(
    svg: Element,
    private readonly length = 60,
    private readonly floor = 1,
  ) {
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    this.area.setAttribute("class", "area");
    svg.replaceChildren(this.area, this.line);
  }

  push(value: number): void {
    this.values.push(value);
    if (this.values.length > this.length) this.values.shift();
    this.draw();
  }

  private draw(): void {
    const top = Math.max(this.floor, ...this.values) * 1.1;
    const step = WIDTH / (this.length - 1);
    const start = WIDTH - step * (this.values.length - 1);
    const points = this.values.map((value, index) => {
      const x = (start + index * step).toFixed(1);
      return `${x} ${(HEIGHT - 1 - (value / top) * (HEIGHT - 2)).toFixed(1)}`;
    });
    this.line.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
    this.area.setAttribute("d", points.length > 1 ? `M${start} ${HEIGHT}L${points.join("L")}L${WIDTH} ${HEIGHT}z` : "");
  }
}
