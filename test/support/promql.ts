/** Reads PromQL with Prometheus's own grammar: what an expression asks for, or that it is none. */
import { parser } from "@prometheus-io/lezer-promql";

export interface Selector {
  readonly metric: string;
  /** Of `=` and `!=` the text, of `=~` and `!~` each alternative. */
  readonly matchers: readonly { readonly label: string; readonly values: readonly string[] }[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** Labels that the result is grouped by. */
  readonly groupedBy: readonly string[];
}

/** Throws when it does not parse. */
export function readPromql(text: string): Query {
  const selectors: { metric: string; matchers: { label: string; values: readonly string[] }[] }[] = [];
  const groupedBy: string[] = [];
  let label = "";
  parser.parse(text).iterate({
    enter: ({ name, from, to, type, node }) => {
      const part = text.slice(from, to);
      if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`);
      if (name === "VectorSelector") selectors.push({ metric: "", matchers: [] });
      const last = selectors.at(-1);
      if (name === "Identifier" && node.parent?.name === "VectorSelector" && last) last.metric = part;
      if (name === "LabelName" && node.parent?.name === "GroupingLabels") groupedBy.push(part);
      else if (name === "LabelName") label = part;
      if (name === "StringLiteral") last?.matchers.push({ label, values: part.slice(1, -1).split("|") });
    },
  });
  return { selectors, groupedBy };
}
