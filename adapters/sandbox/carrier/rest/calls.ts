/** `/Calls`: create, fetch, update, list. */
import type { Call } from "../call/call.ts";
import { redirectCall } from "../call/redirect.ts";
import { Session } from "../session/session.ts";
import type { Target } from "../session/scope.ts";
import {
  callbackTarget,
  inDates,
  listAnswer,
  type Operation,
  type RestContext,
  type RestRequest,
} from "./context.ts";
import { invalid, notFound } from "./errors.ts";
import { checkCapacity, checkEnds, detectionOf, subscriptionOf } from "./origin.ts";
import { validate, type Values } from "./parameters.ts";
import { renderCall } from "./render.ts";
import { createCall as createTable, listCalls as listTable, updateCall as updateTable } from "./tables.ts";

const DEFAULT_TIMEOUT_S = 60;

export const createCall: Operation = (context, request) => {
  const values = validate(createTable, request.fields);
  const ends = checkEnds(context, values);
  const target = applicationTarget(context, values) ?? targetOf(values);
  if (!target) throw invalid("Required parameter Url is missing: give Url, Twiml or ApplicationSid", 21205);
  checkCapacity(context, 10004);
  const timeLimit = values.int("TimeLimit");
  const call = context.calls.create({
    direction: "outbound-api",
    ...ends,
    subscription: subscriptionOf(values),
    timeLimitMs: timeLimit === null ? null : timeLimit * 1000,
  });
  call.fallback = callbackTarget(values, "FallbackUrl");
  context.dialer.place(call, {
    timeoutS: values.int("Timeout") ?? DEFAULT_TIMEOUT_S,
    detection: detectionOf(values, values.text("AsyncAmd") !== "true", "AsyncAmdStatusCallback"),
    onReady: () => {
      // A redirect over REST may have come first, while machine detection was still listening.
      if (!call.session) new Session(context, call, () => undefined).start(target);
    },
  });
  return { status: 201, body: renderCall(call) };
};

export const fetchCall: Operation = (context, request) => {
  validate({}, request.fields);
  return { status: 200, body: renderCall(findCall(context, request)) };
};

export const updateCall: Operation = (context, request) => {
  const call = findCall(context, request);
  const values = validate(updateTable, request.fields);
  const target = targetOf(values);
  const status = values.text("Status");
  if (values.text("Url") !== null && values.text("Twiml") !== null) {
    throw invalid("Parameters Url and Twiml are mutually exclusive", 21218);
  }
  if (target && status !== null) throw invalid("Parameters Status and Url or Twiml are mutually exclusive");
  if (target && call.status !== "in-progress") {
    throw invalid("Call is not in-progress. Cannot redirect.", 21220);
  }
  if (!call.ended) adjust(call, values);
  if (target) redirectCall(context, call, target);
  const unanswered = call.answeredMs === null;
  if (status === "completed" || (status === "canceled" && unanswered)) {
    call.end(unanswered ? "canceled" : "completed", { reason: "participant_updated_via_api" });
  }
  return { status: 200, body: renderCall(call) };
};

export const listCalls: Operation = (context, request) =>
  listAnswer(request, listTable, "calls", (query) =>
    context.calls
      .all()
      .filter((call) => matches(call, query))
      .map(renderCall),
  );

function findCall(context: RestContext, request: RestRequest): Call {
  const call = context.calls.get(request.ids[0] ?? "");
  if (!call) throw notFound(request.path);
  return call;
}

/** `Url` wins over `Twiml` when a call is created (Twilio's description of the parameters). */
function targetOf(values: Values): Target | null {
  const url = values.text("Url");
  if (url !== null) return { kind: "url", url, method: values.method("Method"), fields: [] };
  const twiml = values.text("Twiml");
  return twiml === null ? null : { kind: "twiml", twiml };
}

function applicationTarget(context: RestContext, values: Values): Target | null {
  const application = values.text("ApplicationSid");
  if (application === null) return null;
  const { options, routing } = context.core;
  if (application !== options.twimlAppSid || routing.appVoiceUrl === "") {
    throw invalid(`Invalid parameter ApplicationSid: ${application} has no voice URL`, 21218);
  }
  return { kind: "url", url: routing.appVoiceUrl, method: "POST", fields: [] };
}

function adjust(call: Call, values: Values): void {
  const target = callbackTarget(values, "StatusCallback");
  if (target) call.subscription = { target, events: call.subscription?.events ?? new Set(["completed"]) };
  const fallback = callbackTarget(values, "FallbackUrl");
  if (fallback) call.fallback = fallback;
  const timeLimit = values.int("TimeLimit");
  if (timeLimit !== null) call.limitTo(timeLimit * 1000);
}

function matches(call: Call, query: Values): boolean {
  const parent = query.text("ParentCallSid");
  return (
    (query.text("To") ?? call.to) === call.to &&
    (query.text("From") ?? call.from) === call.from &&
    (query.text("Status") ?? renderCall(call)["status"]) === renderCall(call)["status"] &&
    (parent === null || parent === call.parentSid) &&
    inDates(query, "StartTime", call.answeredMs) &&
    inDates(query, "EndTime", call.endedMs)
  );
}
