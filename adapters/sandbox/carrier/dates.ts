/** `Fri, 18 Feb 2011 21:07:19 +0000`, the form of dates in Twilio's REST API and callbacks. */
export function rfc2822(epochMs: number): string {
  return new Date(epochMs).toUTCString().replace("GMT", "+0000");
}
