import { expect, test } from "bun:test";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { decodeCall, encodeCall } from "../../../adapters/store/rows.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { callRow } from "../../contract/store.contract.ts";

test("a row of before there were escalations and recordings has none", () => {
  const cipher = createFieldCipher({ key: null, ids: seededIds(1), log: silentLog });
  const { escalations: _these, escalation: _this, recordings: _those, ...old } = callRow(1);
  const [callSid, , , , body, sealed] = encodeCall(old as ReturnType<typeof callRow>, cipher);
  const row = decodeCall({ call_sid: callSid, body, protected: sealed }, cipher);
  expect(row).toMatchObject({ callSid: old.callSid, escalations: [], escalation: null, recordings: [] });
});
