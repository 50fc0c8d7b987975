/** Prometheus text, exposition format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). */

/** Any histogram that knows its bounds: how many of its records are below each of them. */
interface Durations {
  readonly boundsMs: readonly number[];
  readonly count: number;
  readonly sumMs: number;
  cumulative(): readonly number[];
}

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly help: string;
}

interface Numbers extends Family {
  readonly type: "counter" | "gauge";
  readonly values: readonly { readonly labels?: Labels; readonly value: number }[];
}

interface Histograms extends Family {
  readonly type: "histogram";
  readonly values: readonly { readonly labels?: Labels; readonly histogram: Durations }[];
}

export type Metric = Numbers | Histograms;

export function prometheusText(metrics: readonly Metric[]): string {
  let text = "";
  for (const metric of metrics) {
    text += `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.type}\n`;
    text += metric.type === "histogram" ? histogramLines(metric) : numberLines(metric);
  }
  return text;
}

export function counter(name: string, help: string, value: number): Metric {
  return { name, help, type: "counter", values: [{ value }] };
}

export function gauge(name: string, help: string, value: number): Metric {
  return { name, help, type: "gauge", values: [{ value }] };
}

/** One value per entry, told apart by a label. */
export function numbersBy(
  type: "counter" | "gauge",
  name: string,
  help: string,
  label: string,
  numbers: Readonly<Record<string, number>>,
): Metric {
  const values = Object.entries(numbers).map(([key, value]) => ({ labels: { [label]: key }, value }));
  return { name, help, type, values };
}

/** As {@link numbersBy}, with several labels. */
export function labelled(
  type: "counter" | "gauge",
  name: string,
  help: string,
  values: readonly { readonly labels: Labels; readonly value: number }[],
): Metric {
  return { name, help, type, values };
}

/** Durations, told in seconds as Prometheus wants them. */
export function histogram(name: string, help: string, of: Durations): Metric {
  return { name, help, type: "histogram", values: [{ histogram: of }] };
}

export function histogramsBy(
  name: string,
  help: string,
  label: string,
  histograms: Readonly<Record<string, Durations>>,
): Metric {
  const values = Object.entries(histograms).map(([key, of]) => ({ labels: { [label]: key }, histogram: of }));
  return { name, help, type: "histogram", values };
}

function numberLines({ name, values }: Numbers): string {
  return values.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}\n`).join("");
}

function histogramLines({ name, values }: Histograms): string {
  let text = "";
  for (const { labels, histogram: of } of values) {
    const counts = of.cumulative();
    of.boundsMs.forEach((boundMs, i) => {
      text += `${name}_bucket${labelsText({ ...labels, le: String(boundMs / 1000) })} ${counts[i]}\n`;
    });
    text += `${name}_bucket${labelsText({ ...labels, le: "+Inf" })} ${of.count}\n`;
    text += `${name}_sum${labelsText(labels)} ${of.sumMs / 1000}\n`;
    text += `${name}_count${labelsText(labels)} ${of.count}\n`;
  }
  return text;
}

function labelsText(labels: Labels | undefined): string {
  if (!labels) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
