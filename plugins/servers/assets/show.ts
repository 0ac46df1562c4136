import "uplot/dist/uPlot.min.css";
import "./lib/charts.css";

import { one, onTick, Sparkline } from "@stellar/web";
import { startCharts } from "./lib/history";
import { showEnds } from "./lib/logs";

const cpu = new Sparkline(one("#spark-cpu") as Element, 60, 5);
const memory = new Sparkline(one("#spark-memory") as Element, 60, 1);

function draw(): void {
  const { cpu: percent, memory: bytes } = one("[data-live]").dataset;
  if (!percent || !bytes) return;
  cpu.push(Number(percent));
  memory.push(Number(bytes));
}

draw();
onTick(draw);
startCharts();
showEnds();
