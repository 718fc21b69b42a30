/**
 * Prometheus' text format, version 0.0.4.
 *
 * Written here and not by prom-client: a node of 1,000 containers has 50,000 series, which that library holds as objects
 * and takes some hundred milliseconds to write, in which the gateway answers nobody. Here the labels of a container are
 * written once for all of its series.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */

/** The value of `Content-Type`. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

export interface Family {
  /** With the unit and, for a counter, `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
}

export type Labels = { readonly [name: string]: string };

/** The first lines of a family. */
export function header({ name, help, type }: Family): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

/** `a="1",b="2"`, for {@link sample}. */
export function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

/** A line. `labels`: as `labelText` writes them, several joined by commas. */
export function sample(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${numberText(value)}\n`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
