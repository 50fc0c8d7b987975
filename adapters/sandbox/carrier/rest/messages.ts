/** `/Messages`: create, fetch, list. */
import { inDates, listAnswer, type Operation } from "./context.ts";
import { invalid, notFound } from "./errors.ts";
import { validate } from "./parameters.ts";
import { renderMessage } from "./render.ts";
import { createMessage as createTable, listMessages as listTable } from "./tables.ts";

export const createMessage: Operation = (context, request) => {
  const values = validate(createTable, request.fields);
  const from = values.text("From");
  const body = values.text("Body");
  if (from === null)
    throw invalid("A 'From' phone number is required: the sandbox has no messaging services", 21603);
  if (!context.core.routing.numbers.some((n) => n.number === from)) {
    throw invalid(`'From' ${from} is not a Twilio phone number of this account`, 21606);
  }
  if (body === null || body === "")
    throw invalid("Message body is required: the sandbox sends text only", 21602);
  const message = context.messages.send(
    { from, to: values.text("To") ?? "", body },
    values.text("StatusCallback"),
  );
  return { status: 201, body: renderMessage(context.core.accountSid, message) };
};

export const fetchMessage: Operation = (context, request) => {
  validate({}, request.fields);
  const message = context.messages.get(request.ids[0] ?? "");
  if (!message) throw notFound(request.path);
  return { status: 200, body: renderMessage(context.core.accountSid, message) };
};

export const listMessages: Operation = (context, request) =>
  listAnswer(request, listTable, "messages", (query) =>
    context.messages
      .all()
      .filter(
        (message) =>
          (query.text("To") ?? message.to) === message.to &&
          (query.text("From") ?? message.from) === message.from &&
          inDates(query, "DateSent", message.sentMs),
      )
      .map((message) => renderMessage(context.core.accountSid, message)),
  );
