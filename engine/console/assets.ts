/** The console's page: static, from this origin alone, with nothing in it that the policy would not allow. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const ASSETS: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/console": { file: "console.html", type: "text/html; charset=utf-8" },
  "/console/console.js": { file: "console.js", type: "text/javascript; charset=utf-8" },
  "/console/console.css": { file: "console.css", type: "text/css; charset=utf-8" },
};

export function consoleAsset(path: string): Response | null {
  const asset = ASSETS[path];
  if (!asset) return null;
  return new Response(Bun.file(new URL(asset.file, import.meta.url)), {
    headers: {
      "content-type": asset.type,
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    },
  });
}
