#!/usr/bin/env node
/**
 * The process: arguments in, signals handled, exit codes out. The only file that ends the process.
 *
 * Imports nothing before it has looked at the Node version, so that an old one gets a sentence and not
 * a syntax error.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`Crest needs Node 20.19 or newer, this is ${process.version}\n`);
  process.exit(1);
}

const { StartError } = await import("./errors.ts");

try {
  await main();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`crest: ${error.message}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const { readCommandLine } = await import("./config.ts");
  const command = readCommandLine();
  surviveReaders(command.name === "up" || command.name === "serve");
  switch (command.name) {
    case "help":
      process.stdout.write(command.text);
      return;
    case "version": {
      const { version } = await import("./version.ts");
      process.stdout.write(`crest ${version} (CRI v1, Node ${process.version})\n`);
      return;
    }
    case "openapi": {
      const { openApiFile } = await import("./version.ts");
      const { readFile } = await import("node:fs/promises");
      process.stdout.write(await readFile(openApiFile));
      return;
    }
    case "serve":
    case "up": {
      const { takeServiceManager } = await import("./config.ts");
      const { runGateway } = await import("./gateway.ts");
      const { banner } = await import("./banner.ts");
      const { waitingText } = await import("./announce.ts");
      const { logLine } = await import("./log-line.ts");
      const { failed } = await runGateway(command.config, {
        say: (text) => process.stdout.write(`${text}\n`),
        log: (entry) => process.stderr.write(`${logLine(entry)}\n`),
        texts: (state) => ({
          ready: (runtime) => banner({ ...state, runtime }),
          waiting: (trouble) => waitingText(state.address, trouble),
        }),
        ...stopSignals(),
        ...takeServiceManager(),
      });
      process.exit(failed ? 1 : 0);
    }
  }
}

/**
 * What to do when nobody reads the output any more. `crest openapi | head` reads what it wants and that is
 * all; a gateway whose terminal or pipe is gone goes on, and later stops its runtime in order.
 */
function surviveReaders(goesOn: boolean): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (goesOn) return;
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
}

/**
 * The first signal to stop, by name, and the second; SIGHUP is a terminal that was closed. Further ones change
 * nothing: removing a private runtime takes its seconds.
 */
function stopSignals(): { stopRequested: Promise<string>; stopAgain: Promise<string> } {
  const signals: ((signal: string) => void)[] = [];
  const next = () => new Promise<string>((resolve) => void signals.push(resolve));
  const both = { stopRequested: next(), stopAgain: next() };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => signals.shift()?.(signal));
  }
  return both;
}
