/** Query parameters that are times or durations. */
import { durationForms, durationMs, formatDuration } from "../config/quantities.ts";
import { type LogTime, timeOf } from "../logs/log-time.ts";
import { invalid } from "./bind.ts";

/**
 * Parses an RFC 3339 time, or a duration before `nowMs`. `others` begins the list of what the parameter may be.
 *
 * @throws {GatewayError} `invalid_request`
 */
export function timeParameter(parameter: string, text: string, nowMs: number, others = ""): LogTime {
  // A plus sign that was not encoded arrives as a space.
  const time = timeOf(text.replace(/ (?=\d\d:\d\d$)/, "+"), nowMs);
  if (time !== undefined) return time;
  const forms = `${others}a time such as 2026-11-29T10:00:00Z, or ${durationForms}`;
  throw invalid([{ parameter, detail: `must be ${forms}, got ${shown(text)}` }]);
}

/** Parses a duration from `minMs` to `maxMs`. Returns milliseconds. @throws {GatewayError} `invalid_request` */
export function durationParameter(parameter: string, text: string, minMs: number, maxMs: number): number {
  const ms = durationMs(text);
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
  const wanted =
    ms === undefined ? durationForms : `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  throw invalid([{ parameter, detail: `must be ${wanted}, got ${shown(text)}` }]);
}

const shown = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
