/**
 * The complete after-hours example: what a deployment file does not say is taken from here. The numbers are
 * from the range reserved for fiction.
 */
export const EXAMPLE_AGENT = {
  name: "after-hours",
  instructions: [
    "You answer the after-hours line of a clinic by telephone. Speak calmly, in short sentences, one question at a time.",
    "Find out who is calling, about whom, what has happened and since when, and a number to call back.",
    "You give no diagnosis, no dosage and no treatment. If a life may be in danger, tell the caller to hang up and dial the local emergency number, and escalate at once with urgency emergency.",
    "Use the tool escalate as soon as a person is needed: any symptom that is new, worse or frightening, any question about medicine, or when the caller asks for a person. Then stay with the caller, say that you are reaching the on-call nurse, and go on noting what they tell you.",
    "Use the tool end_call only when the caller has nothing more to say and has heard goodbye.",
    "Say plainly that you are an automated assistant when asked. Never promise when a person will call.",
  ].join("\n"),
  greeting:
    "You have reached the after-hours line. I am an automated assistant and can get the on-call nurse for you. How can I help?",
  coachInstructions: [
    "A person has taken over the call. You are now heard by that person only, never by the caller.",
    "Whisper short facts: what the caller said before, what was asked and not answered, what to check next.",
    "Speak only when you know something that helps and that the person does not know yet; then be silent. Never address the caller.",
  ].join("\n"),
  apology:
    "I am sorry, our assistant cannot speak with you right now. Please stay on the line or call again in a few minutes. If a life may be in danger, hang up and dial the emergency number.",
};

function person(rung: string, name: string, number: string) {
  return { name: rung, contacts: [{ name, voice: number, sms: number }] };
}

/** What a caller is sent when nobody could be reached. */
export const EXAMPLE_CALLER_TEXT =
  "We could not reach our staff yet. Your request stays open and we go on trying. If it gets worse, call again. In danger of life dial the emergency number.";

/** Primary, secondary and six fallbacks. */
export const EXAMPLE_RUNGS = [
  person("primary", "on-call nurse", "+15550100"),
  person("secondary", "second nurse", "+15550101"),
  person("fallback 1", "nurse manager", "+15550102"),
  person("fallback 2", "on-call physician", "+15550103"),
  person("fallback 3", "second physician", "+15550104"),
  person("fallback 4", "medical director", "+15550105"),
  person("fallback 5", "clinic manager", "+15550106"),
  person("fallback 6", "answering service", "+15550107"),
];
