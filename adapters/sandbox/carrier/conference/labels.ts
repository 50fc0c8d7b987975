/**
 * Why `label` cannot label a participant: Twilio allows 128 characters, nothing that looks like a call's sid,
 * and no slash, not even an encoded one (16023, 16024).
 */
export function labelRefusal(
  label: string,
): { readonly code: 16023 | 16024; readonly message: string } | null {
  if (label.length > 128) return { code: 16023, message: "Label exceeds 128 characters" };
  if (/^CA[0-9a-f]{32}$/.test(label)) return { code: 16024, message: "Label must not look like a call sid" };
  if (/\/|%2F/i.test(label)) return { code: 16024, message: "Label must not contain a slash" };
  return null;
}
