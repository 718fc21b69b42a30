/** What a request for logs asks for. */
import type { GatewayError } from "../errors.ts";
import { type Cursor, parseCursor } from "../logs/cursor.ts";
import { BadPattern, compileQuery } from "../logs/line-filter.ts";
import type { Selection } from "../logs/log-selection.ts";
import { fromMs, type LogTime } from "../logs/log-time.ts";
import type { LogsQuery } from "../logs/read-logs.ts";
import type { ParametersOf } from "../routes/parameter-schemas.ts";
import { invalid } from "./bind.ts";
import { timeParameter } from "./time-parameters.ts";

/** The parameters that all routes for logs have. */
export type LogParameters = ParametersOf<"getPodLogs">;

/** A regular expression of more characters is refused: its program would be large. */
const maxPatternLength = 1000;
/** Longer texts are in no line. */
const maxTextLength = 4096;

/**
 * Checks the parameters and compiles the query.
 *
 * @param lastEventId The header `Last-Event-ID`, which takes precedence over `cursor`.
 * @throws {GatewayError} `invalid_request`
 */
export async function logsQuery(
  parameters: LogParameters,
  selection: Selection,
  lastEventId: string | undefined,
): Promise<LogsQuery> {
  const { follow, download, tailLines, stream, level, before, after } = parameters;
  if (follow && download) throw mistake("download", "cannot follow: leave out one of follow and download");
  const nowMs = Date.now();
  const since = sinceOf(parameters, nowMs);
  const until = givenTime("until", parameters.until, nowMs);
  const grep = textParameter("grep", parameters.grep, maxTextLength);
  const regex = textParameter("regex", parameters.regex, maxPatternLength);
  try {
    const tests = await compileQuery({ since, until, stream, grep, regex, level, before, after });
    return { selection, tests, follow, tailLines, cursor: cursorOf(parameters.cursor, lastEventId) };
  } catch (error) {
    if (!(error instanceof BadPattern)) throw error;
    throw mistake("regex", `must be a regular expression in RE2's syntax: ${error.message}`, error);
  }
}

function sinceOf({ since, sinceTime, sinceSeconds }: LogParameters, nowMs: number): LogTime | undefined {
  const given = Object.entries({ since, sinceTime, sinceSeconds }).filter(([, value]) => value !== undefined);
  const [, second] = given;
  if (second !== undefined)
    throw mistake(
      second[0],
      `says the same as ${given[0]?.[0]}: give one of since, sinceTime and sinceSeconds`,
    );
  if (sinceSeconds !== undefined) return fromMs(nowMs - sinceSeconds * 1000);
  if (sinceTime !== undefined) return timeParameter("sinceTime", sinceTime, nowMs);
  return givenTime("since", since, nowMs);
}

function givenTime(name: string, text: string | undefined, nowMs: number): LogTime | undefined {
  return text === undefined ? undefined : timeParameter(name, text, nowMs);
}

function textParameter(name: string, text: string | undefined, maxLength: number): string | undefined {
  if (text === undefined) return undefined;
  if (text === "") throw mistake(name, "must not be empty, leave it out to have all lines");
  if (text.length > maxLength)
    throw mistake(name, `must have at most ${maxLength} characters, got ${text.length}`);
  if (/[\n]/.test(text)) throw mistake(name, "must not contain a newline, which no line contains");
  return text;
}

function cursorOf(cursor: string | undefined, lastEventId: string | undefined): Cursor | undefined {
  const text = lastEventId === undefined || lastEventId === "" ? cursor : lastEventId;
  if (text === undefined) return undefined;
  const parsed = parseCursor(text);
  if (parsed === undefined) throw mistake("cursor", "must be a cursor as it was received with a line");
  return parsed;
}

function mistake(parameter: string, detail: string, cause?: unknown): GatewayError {
  return invalid([{ parameter, detail }], cause);
}
