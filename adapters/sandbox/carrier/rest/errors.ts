/** A refused REST request, with Twilio's error code and HTTP status. */
export class RestError extends Error {
  override readonly name = "RestError";
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  body(): Readonly<Record<string, unknown>> {
    return {
      code: this.code,
      message: this.message,
      more_info: `https://www.twilio.com/docs/errors/${this.code}`,
      status: this.status,
    };
  }
}

export function notFound(path: string): RestError {
  return new RestError(404, 20404, `The requested resource ${path} was not found`);
}

export function invalid(message: string, code = 20001): RestError {
  return new RestError(400, code, message);
}
