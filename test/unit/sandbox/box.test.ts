import { expect, test } from "bun:test";
import { type Sandbox, startSandbox } from "../../../adapters/sandbox/box.ts";
import { seededIds } from "../../../engine/platform/ids.ts";

test("the sandbox takes the port it is asked for, or any other when that is taken, and tells its phones whom they can be", async () => {
  const boxes: Sandbox[] = [];
  const start = async (carrierPort: number): Promise<Sandbox> => {
    const box = await startSandbox({ ids: seededIds(3), logLevel: "error", carrierPort });
    boxes.push(box);
    return box;
  };
  try {
    const first = await start(0);
    const port = new URL(first.carrierUrl).port;
    const second = await start(Number(port));
    expect(new URL(second.phonesUrl).port).not.toBe(port);
    await first.stop();
    const third = await start(Number(port));
    expect(third.phonesUrl).toBe(`http://127.0.0.1:${port}/phones`);
    await third.configure({
      origin: "http://127.0.0.1:8080",
      people: [{ rung: "primary", name: "nurse", number: "+15550100", push: null }],
      understandsSpeech: false,
      consoleUrl: "http://127.0.0.1:8080/console",
    });
    expect(await (await fetch(`${third.phonesUrl}/facts`)).json()).toEqual({
      number: "+15550123",
      people: [{ rung: "primary", name: "nurse", number: "+15550100", pushName: null }],
      understandsSpeech: false,
      consoleUrl: "http://127.0.0.1:8080/console",
    });
  } finally {
    for (const box of boxes) if (box !== boxes[0]) await box.stop();
  }
});
