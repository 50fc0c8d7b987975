/** The parameters of every operation that the sandbox serves. */
import {
  address,
  bool,
  int,
  listOf,
  method,
  oneOf,
  required,
  sid,
  text,
  url,
  urlOrEmpty,
} from "./parameters.ts";
import type { Table } from "./parameters.ts";

const MAX_SECONDS = 86_400;
const progressEvents = listOf("initiated", "ringing", "answered", "completed");
const recordingEvents = listOf(
  "started",
  "in-progress",
  "paused",
  "resumed",
  "stopped",
  "completed",
  "failed",
  "absent",
);
const REGIONS = ["us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"] as const;
const trim = oneOf("trim-silence", "do-not-trim");

const recordingAndSip: Table = {
  Record: bool,
  RecordingChannels: oneOf("mono", "dual"),
  RecordingStatusCallback: url(),
  RecordingStatusCallbackMethod: method,
  RecordingStatusCallbackEvent: recordingEvents,
  RecordingTrack: oneOf("inbound", "outbound", "both"),
  RecordingConfigurationId: text(),
  Trim: trim,
  SipAuthUsername: text(),
  SipAuthPassword: text(),
  Byoc: sid("BY"),
  CallerId: text(),
  CallReason: text(),
  CallToken: text(4096),
  Passports: text(16_384),
  ClientNotificationUrl: url(),
  TimeLimit: int(1, MAX_SECONDS),
};

const machineDetection: Table = {
  MachineDetection: oneOf("Enable", "DetectMessageEnd"),
  MachineDetectionTimeout: int(3, 59),
  MachineDetectionSpeechThreshold: int(1000, 6000),
  MachineDetectionSpeechEndThreshold: int(500, 5000),
  MachineDetectionSilenceTimeout: int(2000, 10_000),
};

const statusCallback: Table = {
  StatusCallback: url(),
  StatusCallbackMethod: method,
  StatusCallbackEvent: progressEvents,
};

export const createParticipant: Table = {
  From: required(address(["phone", "client", "sip"], 21212), 21213),
  To: required(address(["phone", "client", "sip", "app"], 21211), 21201),
  ...statusCallback,
  ...recordingAndSip,
  ...machineDetection,
  AmdStatusCallback: url(),
  AmdStatusCallbackMethod: method,
  Label: text(4096),
  Timeout: int(5, 600),
  Muted: bool,
  Beep: oneOf("true", "false", "onEnter", "onExit"),
  StartConferenceOnEnter: bool,
  EndConferenceOnExit: bool,
  WaitUrl: urlOrEmpty,
  WaitMethod: method,
  EarlyMedia: bool,
  MaxParticipants: int(2, 250),
  ConferenceRecord: oneOf("true", "false", "record-from-start", "do-not-record"),
  ConferenceTrim: trim,
  ConferenceStatusCallback: url(),
  ConferenceStatusCallbackMethod: method,
  ConferenceStatusCallbackEvent: listOf(
    "start",
    "end",
    "join",
    "leave",
    "mute",
    "hold",
    "modify",
    "speaker",
    "announcement",
  ),
  ConferenceRecordingStatusCallback: url(),
  ConferenceRecordingStatusCallbackMethod: method,
  ConferenceRecordingStatusCallbackEvent: listOf("in-progress", "completed", "failed", "absent"),
  Region: oneOf(...REGIONS),
  Coaching: bool,
  CallSidToCoach: sid("CA"),
  JitterBufferSize: oneOf("off", "small", "medium", "large"),
  CallerDisplayName: { expected: "2 to 255 characters", check: (v) => v.length >= 2 && v.length <= 255 },
  EmergencyCallerPosition: text(),
  EmergencyCallerLocation: text(),
  EmergencyName: text(),
  EmergencyAddress: text(),
  EmergencyZipCode: text(),
  EmergencyCity: text(),
  EmergencyState: text(),
  EmergencyCountry: text(),
};

export const updateParticipant: Table = {
  Muted: bool,
  Hold: bool,
  HoldUrl: url(),
  HoldMethod: method,
  AnnounceUrl: url(),
  AnnounceMethod: method,
  WaitUrl: urlOrEmpty,
  WaitMethod: method,
  BeepOnExit: bool,
  EndConferenceOnExit: bool,
  Coaching: bool,
  CallSidToCoach: sid("CA"),
};

const paging: Table = { PageSize: int(1, 1000), Page: int(0, 1_000_000), PageToken: text() };
const date = (): Table[string] => ({
  expected: "a date as YYYY-MM-DD, with or without a time",
  check: (v) => /^\d{4}-\d{2}-\d{2}/.test(v),
});
const dates = (...names: readonly string[]): Table =>
  Object.fromEntries(names.flatMap((name) => [name, `${name}<`, `${name}>`]).map((name) => [name, date()]));

export const listParticipants: Table = { Muted: bool, Hold: bool, Coaching: bool, ...paging };

export const listConferences: Table = {
  FriendlyName: text(),
  Status: oneOf("init", "in-progress", "completed"),
  ...dates("DateCreated", "DateUpdated"),
  ...paging,
};

export const updateConference: Table = {
  Status: oneOf("completed"),
  AnnounceUrl: url(),
  AnnounceMethod: method,
};

const twiml: Table[string] = {
  expected: "TwiML of at most 4000 characters",
  check: (v) => v.length <= 4000,
};

export const createCall: Table = {
  To: required(address(["phone", "client", "sip", "app"], 21211), 21201),
  From: required(address(["phone", "client", "sip"], 21212), 21213),
  Url: url(),
  Method: method,
  FallbackUrl: url(),
  FallbackMethod: method,
  Twiml: twiml,
  ApplicationSid: { ...sid("AP"), invalidCode: 21218 },
  ...statusCallback,
  ...recordingAndSip,
  ...machineDetection,
  AsyncAmd: oneOf("true", "false"),
  AsyncAmdStatusCallback: url(),
  AsyncAmdStatusCallbackMethod: method,
  SendDigits: { expected: "at most 32 digits", check: (v) => /^[0-9A-D#*wW]{0,32}$/.test(v) },
  Timeout: int(1, 600),
};

export const updateCall: Table = {
  Url: url(),
  Method: method,
  Status: oneOf("canceled", "completed"),
  FallbackUrl: url(),
  FallbackMethod: method,
  StatusCallback: url(),
  StatusCallbackMethod: method,
  Twiml: twiml,
  TimeLimit: int(1, MAX_SECONDS),
};

export const listCalls: Table = {
  To: text(),
  From: text(),
  ParentCallSid: sid("CA"),
  Status: oneOf("queued", "ringing", "in-progress", "canceled", "completed", "failed", "busy", "no-answer"),
  ...dates("StartTime", "EndTime"),
  ...paging,
};

export const createMessage: Table = {
  To: required(address(["phone"], 21211), 21604),
  From: address(["phone"], 21212),
  MessagingServiceSid: sid("MG"),
  FallbackFrom: text(),
  Body: { ...text(1600), invalidCode: 21617, expected: "a text of at most 1600 characters" },
  MediaUrl: { list: true, expected: "an http(s) URL", check: (v) => URL.canParse(v) },
  ContentSid: sid("HX"),
  ContentVariables: text(16_384),
  StatusCallback: url(21609),
  ApplicationSid: sid("AP"),
  MaxPrice: text(),
  ProvideFeedback: bool,
  Attempt: int(1, 100),
  ValidityPeriod: int(1, 36_000),
  ForceDelivery: bool,
  ContentRetention: oneOf("retain", "discard"),
  AddressRetention: oneOf("retain", "obfuscate"),
  SmartEncoded: bool,
  PersistentAction: { list: true, expected: "an action", check: () => true },
  TrafficType: oneOf("free"),
  ShortenUrls: bool,
  ScheduleType: oneOf("fixed"),
  SendAt: text(),
  SendAsMms: bool,
  MessageIntent: text(),
  RiskCheck: oneOf("enable", "disable"),
};

export const listNumbers: Table = {
  Beta: bool,
  FriendlyName: text(),
  PhoneNumber: text(),
  Origin: text(),
  ...paging,
};

export const listMessages: Table = { To: text(), From: text(), ...dates("DateSent"), ...paging };
