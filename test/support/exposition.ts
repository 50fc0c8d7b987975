/** Reads Prometheus text into its families. Strict: a line that is none throws. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Names of the labels that its series have, without `le`. */
  readonly labels: Set<string>;
  /** Values by series, as `name{label="value"}`. */
  readonly series: Map<string, number>;
}

const SUFFIX = /_(bucket|sum|count)$/;

export function readFamilies(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family>();
  let help = "";
  let last: Family | undefined;
  for (const line of text.trimEnd().split("\n")) {
    const [, head, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (head === "HELP") {
      if (families.has(name)) throw new Error(`${name} is announced twice`);
      help = rest;
    } else if (head === "TYPE") {
      last = { name, type: rest, help, labels: new Set(), series: new Map() };
      families.set(name, last);
    } else {
      add(last, line);
    }
  }
  return families;
}

function add(family: Family | undefined, line: string): void {
  const [, series = "", name = "", labels = "", value = ""] = /^((\w+)(?:\{(.*)\})?) (\S+)$/.exec(line) ?? [];
  const of = family?.type === "histogram" ? name.replace(SUFFIX, "") : name;
  if (!family || of !== family.name || !Number.isFinite(Number(value)))
    throw new Error(`not a sample: ${line}`);
  if (family.series.has(series)) throw new Error(`twice: ${series}`);
  family.series.set(series, Number(value));
  for (const [, label = ""] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) {
    if (label !== "le") family.labels.add(label);
  }
}
