/**
 * A reader for the XML that TwiML is made of: elements, attributes, text, CDATA, comments, the five
 * entities and character references. Checks well-formedness; there are no DTDs and no namespaces.
 */

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own text, without that of its children. */
  readonly text: string;
}

export class XmlError extends Error {
  override readonly name = "XmlError";
}

const NAME = /[A-Za-z_][\w.-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_][\w.:-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_END = /\s*(\/?)>/y;
const CLOSE = /<\/([A-Za-z_][\w.-]*)\s*>/y;
const MISC = /\s+|<!--(?:(?!--)[\s\S])*-->|<\?(?!xml\s)[\s\S]*?\?>/y;
const PROLOG = /<\?xml\s[^?]*\?>/y;
const CDATA = /<!\[CDATA\[([\s\S]*?)\]\]>/y;
const TEXT = /[^<]+/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const MAX_DEPTH = 20;

/** Parses a whole document. Throws {@link XmlError} with the line of the mistake. */
export function parseXml(source: string): XmlElement {
  const reader = new Reader(source.replace(/^\uFEFF/, ""));
  reader.take(PROLOG);
  reader.skipMisc();
  const root = reader.element(0);
  reader.skipMisc();
  if (!reader.atEnd) throw reader.error("there is content after the root element");
  return root;
}

class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get atEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match) this.#at = pattern.lastIndex;
    return match;
  }

  skipMisc(): void {
    while (this.take(MISC));
  }

  error(problem: string): XmlError {
    const line = this.#source.slice(0, this.#at).split("\n").length;
    return new XmlError(`line ${line}: ${problem}`);
  }

  element(depth: number): XmlElement {
    if (depth > MAX_DEPTH) throw this.error(`elements are nested deeper than ${MAX_DEPTH}`);
    if (this.#source[this.#at] !== "<") throw this.error("an element was expected");
    this.#at++;
    const name = this.take(NAME)?.[0];
    if (name === undefined) throw this.error("an element's name was expected after '<'");
    const attributes = this.#attributes(name);
    const end = this.take(TAG_END);
    if (!end) throw this.error(`the tag <${name}> is not well-formed`);
    if (end[1] === "/") return { name, attributes, children: [], text: "" };
    return { name, attributes, ...this.#content(name, depth) };
  }

  #attributes(element: string): Map<string, string> {
    const attributes = new Map<string, string>();
    for (let match = this.take(ATTRIBUTE); match; match = this.take(ATTRIBUTE)) {
      const [, name = "", double, single] = match;
      if (attributes.has(name)) throw this.error(`<${element}> has the attribute ${name} twice`);
      attributes.set(name, this.#decode((double ?? single ?? "").replaceAll(/[\t\n\r]/g, " ")));
    }
    return attributes;
  }

  #content(name: string, depth: number): { children: XmlElement[]; text: string } {
    const children: XmlElement[] = [];
    let text = "";
    for (;;) {
      const close = this.take(CLOSE);
      if (close) {
        if (close[1] !== name) throw this.error(`<${name}> is closed by </${close[1]}>`);
        return { children, text };
      }
      const cdata = this.take(CDATA);
      const plain = cdata ? null : this.take(TEXT);
      if (cdata) text += cdata[1];
      else if (plain) text += this.#decode(plain[0]);
      else if (this.atEnd) throw this.error(`<${name}> is not closed`);
      else if (!this.take(MISC)) children.push(this.element(depth + 1));
    }
  }

  #decode(text: string): string {
    return text.replaceAll(/&([^;\s&]*;?)/g, (_, body: string) => {
      if (!body.endsWith(";")) throw this.error("'&' must be written as '&amp;'");
      const entity = body.slice(0, -1);
      const named = ENTITIES[entity];
      if (named !== undefined) return named;
      const match = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(entity);
      const code = match ? Number.parseInt(match[1] ?? match[2] ?? "", match[1] === undefined ? 10 : 16) : -1;
      if (code < 1 || code > 0x10_ff_ff) throw this.error(`&${body} is not a known entity`);
      return String.fromCodePoint(code);
    });
  }
}
