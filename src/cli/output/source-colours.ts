/** A colour for each source of lines. */
import type { Style } from "../terminal.ts";

const palette: readonly Style[] = [
  ...(["cyan", "yellow", "green", "magenta", "blue"] as const),
  ...(["cyanBright", "yellowBright", "greenBright", "magentaBright", "blueBright"] as const),
];

/** The same colour for the same source; others until all are used. */
export function sourceColours(): (source: string) => Style {
  const colours = new Map<string, Style>();
  return (source) => {
    const colour = colours.get(source) ?? palette[colours.size % palette.length] ?? "reset";
    colours.set(source, colour);
    return colour;
  };
}
