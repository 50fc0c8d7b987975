/** The phones on a small screen, in both schemes: nothing sticks out, all text can be read, all controls have names. */
import { describe, expect, test } from "bun:test";
import { skipsBrowser } from "./chromium.ts";
import { share } from "./setup.ts";

/** WCAG 2.2, 1.4.3, for text of any size. */
const MIN_CONTRAST = 4.5;

const shared = share();

interface Looks {
  readonly tooWide: number;
  /** Texts whose contrast is too low, with it; those of disabled controls may be. */
  readonly faint: readonly string[];
  readonly nameless: readonly string[];
}

/** Runs in the page. */
function look(minContrast: number): Looks {
  const { document, innerWidth, getComputedStyle } = globalThis as unknown as Record<string, any>;
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour: string): number[] => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour: number[]): number => {
    const [r, g, b] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element: any): number[] => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint: string[] = [];
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].find((node: any) => node.nodeType === 3 && node.data.trim() !== "");
    if (!text || element.closest(":disabled") || !element.checkVisibility()) continue;
    const [ink, ground] = [rgba(getComputedStyle(element).color), groundOf(element)].map(luminance);
    const [light, dark] = [Math.max(ink!, ground!), Math.min(ink!, ground!)];
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < minContrast) faint.push(`${text.data.trim()}: ${contrast.toFixed(2)}`);
  }
  const nameless = [...document.querySelectorAll("button, input, select, a, meter")].filter((each: any) => {
    const labels = each.labels?.length ?? 0;
    return labels === 0 && !each.getAttribute("aria-label") && each.textContent.trim() === "";
  });
  return {
    tooWide: Math.max(0, document.documentElement.scrollWidth - innerWidth),
    faint,
    nameless: nameless.map((each: any) => each.outerHTML.slice(0, 80)),
  };
}

describe.skipIf(skipsBrowser)("the phones on a small screen", () => {
  test.each(["light", "dark"] as const)("can be read and used in the %s scheme", async (colorScheme) => {
    const context = await shared.browser.newContext({
      viewport: { width: 360, height: 740 },
      colorScheme,
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    await page.goto(shared.engine.phonesUrl);
    await page.getByRole("button", { name: "Be on call" }).click();
    await page.getByRole("button", { name: /^Call/ }).click();
    await page.getByRole("button", { name: "Try the microphone again" }).waitFor();
    expect(await page.evaluate(look, MIN_CONTRAST)).toEqual({ tooWide: 0, faint: [], nameless: [] });
    await context.close();
  });

  test("stay where they are when a button is pressed that goes", async () => {
    const context = await shared.browser.newContext({ viewport: { width: 560, height: 1000 } });
    const page = await context.newPage();
    await page.goto(`${shared.engine.phonesUrl}/caller`);
    await page.getByRole("button", { name: /^Call/ }).click();
    await page.locator("[data-phase=in-call]").waitFor();
    expect(await page.locator(":focus").getAttribute("data-role")).toBe("caller");
    expect(await page.evaluate("scrollY")).toBe(0);
    await context.close();
  });

  test("are used from the keyboard alone", async () => {
    const context = await shared.browser.newContext();
    const page = await context.newPage();
    await page.goto(`${shared.engine.phonesUrl}/caller`);
    const call = page.getByRole("button", { name: /^Call/ });
    await call.focus();
    await page.keyboard.press("Enter");
    await page.locator("[data-phase=in-call]").waitFor();
    // The button is gone, and the keyboard is still this handset's.
    await page.keyboard.press("3");
    await page.getByText("Pressed 3.").waitFor();
    const key = page.getByRole("button", { name: "5", exact: true });
    await key.focus();
    await page.keyboard.press("Space");
    await page.getByText("Pressed 5.").waitFor();
    await page.keyboard.press("7");
    await page.getByText("Pressed 7.").waitFor();
    await context.close();
  });
});
