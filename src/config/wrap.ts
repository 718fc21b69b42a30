/** Wraps at spaces. A word longer than the width gets its own line. */
export function wrap(text: string, width: number): string[] {
  const wrapped: string[] = [];
  for (const word of text.split(" ")) {
    const line = wrapped.at(-1);
    const fits = line !== undefined && line.length + 1 + word.length <= width;
    if (fits) wrapped[wrapped.length - 1] = `${line} ${word}`;
    else wrapped.push(word);
  }
  return wrapped;
}
