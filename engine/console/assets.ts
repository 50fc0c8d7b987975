/**
 * The console's page: one script and one style sheet, made once of the sources beside this file, from this origin
 * alone and with nothing in them that the policy would not allow.
 */
import { invariant } from "../errors.ts";

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** The page finds its own way below these. */
const PAGE = /^\/console(\/?|\/(board|calls\/CA[0-9a-fA-F]{32}))$/;

interface Asset {
  readonly body: string;
  readonly type: string;
  readonly tag: string;
}

type Assets = Readonly<Record<string, Asset>>;

let made: Promise<Assets> | null = null;

/** Bundles the page, once for the process. Later calls return the same. Rejects when the sources do not build. */
export function makeConsole(): Promise<unknown> {
  made ??= bundle();
  return made;
}

/** `null`: it is nothing of the page. */
export async function consoleAsset(path: string): Promise<Response | null> {
  if (path !== "/console" && !path.startsWith("/console/")) return null;
  made ??= bundle();
  const assets = await made;
  const asset = PAGE.test(path) ? assets["/console"] : assets[path];
  if (!asset) return null;
  return new Response(asset.body, {
    headers: {
      "content-type": asset.type,
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
      etag: asset.tag,
    },
  });
}

async function bundle(): Promise<Assets> {
  const here = (file: string): string => new URL(`app/${file}`, import.meta.url).pathname;
  const built = await Bun.build({
    entrypoints: [here("main.tsx"), here("app.css")],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const text = async (loader: string): Promise<string> => {
    const output = built.outputs.find(({ path }) => path.endsWith(loader));
    invariant(output, `the console's bundle has a ${loader}`);
    return await output.text();
  };
  const page = await Bun.file(here("index.html")).text();
  return {
    "/console": asset(page, "text/html; charset=utf-8"),
    "/console/app.js": asset(await text(".js"), "text/javascript; charset=utf-8"),
    "/console/app.css": asset(await text(".css"), "text/css; charset=utf-8"),
    "/console/icon.svg": asset(await Bun.file(here("icon.svg")).text(), "image/svg+xml"),
  };
}

function asset(body: string, type: string): Asset {
  return { body, type, tag: `"${Bun.hash(body).toString(36)}"` };
}
