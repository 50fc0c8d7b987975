/** As much of XML as is needed to read a document back: elements, attributes, text, comments, entities. */

export interface XmlElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  readonly parent: XmlElement | null;
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', amp: "&", "#39": "'" };

const decode = (text: string): string =>
  text.replace(/&(#?\w+);/g, (_, name: string) => {
    const char = ENTITIES[name];
    if (char === undefined) throw new Error(`unknown entity ${name}`);
    return char;
  });

/** Throws unless it is well-formed. */
export function parseXml(source: string): XmlElement {
  const top: XmlElement = { tag: "", attributes: {}, children: [], parent: null, text: "" };
  let at = top;
  const tokens =
    /<\?xml[^>]*\?>|<!--(?:(?!--)[\s\S])*-->|<\/([\w.-]+)>|<([\w.-]+)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|[^<]+/y;
  for (let end = 0; end < source.length; end = tokens.lastIndex) {
    const match = tokens.exec(source);
    if (!match) throw new Error(`not well-formed at ${source.slice(end, end + 60)}`);
    const [whole, closes, opens, pairs = "", empty] = match;
    if (closes !== undefined) {
      if (at.tag !== closes || at.parent === null) throw new Error(`</${closes}> closes <${at.tag}>`);
      at = at.parent;
    } else if (opens !== undefined) {
      const attributes: Record<string, string> = {};
      for (const [, key = "", value = ""] of pairs.matchAll(/([\w:.-]+)="([^"]*)"/g)) {
        if (Object.hasOwn(attributes, key)) throw new Error(`${key} twice`);
        attributes[key] = decode(value);
      }
      const element: XmlElement = { tag: opens, attributes, children: [], parent: at, text: "" };
      at.children.push(element);
      if (empty === "") at = element;
    } else if (!whole.startsWith("<")) {
      if (/&(?!#?\w+;)/.test(whole)) throw new Error("a bare &");
      at.text += decode(whole.trim());
    }
  }
  const [root, ...more] = top.children;
  if (at !== top || !root || more.length > 0) throw new Error("not one whole element");
  return root;
}

/** The element and all inside it, in order. */
export const elementsOf = (element: XmlElement): XmlElement[] => [
  element,
  ...element.children.flatMap((child) => elementsOf(child)),
];
