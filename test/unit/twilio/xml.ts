/** A small strict XML reader for tests: elements, attributes, text, entities; throws on what is not well formed. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

const NAME = /[A-Za-z_][A-Za-z0-9_.-]*/y;
const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

export function parseXml(text: string): XmlElement {
  const reader = new Reader(text);
  reader.skip(/<\?xml [^?]*\?>/y);
  const root = reader.element();
  if (reader.at !== text.length) throw new Error(`text after the root at ${reader.at}`);
  return root;
}

class Reader {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    // eslint-disable-next-line no-control-regex
    if (/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(text))
      throw new Error("no XML character");
    this.#text = text;
  }

  skip(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text)?.[0] ?? "";
    this.at += match.length;
    return match;
  }

  need(pattern: RegExp): string {
    const found = this.skip(pattern);
    if (found === "")
      throw new Error(`expected ${pattern} at ${this.at}: ${this.#text.slice(this.at, this.at + 40)}`);
    return found;
  }

  element(): XmlElement {
    this.need(/</y);
    const name = this.need(NAME);
    const attributes: Record<string, string> = {};
    while (this.skip(/\s+/y) !== "") {
      if (/^\/?>/.test(this.#text.slice(this.at, this.at + 2))) break;
      const key = this.need(NAME);
      if (Object.hasOwn(attributes, key)) throw new Error(`attribute ${key} twice`);
      this.need(/="/y);
      // Attribute values are normalised: white space that is not escaped becomes a space.
      attributes[key] = unescape(this.skip(/[^<"]*/y).replaceAll(/[\t\n\r]/g, " "));
      this.need(/"/y);
    }
    if (this.skip(/\/>/y) !== "") return { name, attributes, children: [] };
    this.need(/>/y);
    const children: (XmlElement | string)[] = [];
    for (;;) {
      const chars = this.skip(/[^<]+/y);
      if (chars.includes("]]>")) throw new Error("]]> in text");
      if (chars !== "") children.push(unescape(chars.replaceAll(/\r\n?/g, "\n")));
      if (this.skip(/<\//y) !== "") break;
      children.push(this.element());
    }
    this.need(new RegExp(`${name}>`, "y"));
    return { name, attributes, children };
  }
}

function unescape(text: string): string {
  return text.replaceAll(/&([^;&]*);?/g, (whole, body: string) => {
    if (!whole.endsWith(";")) throw new Error(`bare & in ${text}`);
    const code = /^#(?:x([0-9a-fA-F]+)|(\d+))$/.exec(body);
    if (code) return String.fromCodePoint(code[1] ? Number.parseInt(code[1], 16) : Number(code[2]));
    const named = NAMED[body];
    if (named === undefined) throw new Error(`unknown entity ${whole}`);
    return named;
  });
}
