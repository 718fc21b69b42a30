#!/usr/bin/env node
/**
 * The process: parses arguments, handles signals, sets exit codes. The only file that ends the process.
 *
 * Imports nothing before checking the Node version, so that an old version prints a message instead of a syntax error.
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
  const argv = process.argv.slice(2);
  const { findCommand } = await import("./cli/find-command.ts");
  const found = findCommand(argv);
  if (found.kind === "client") {
    const { runCommand } = await import("./cli/main.ts");
    const { interruptions } = await import("./cli/interruptions.ts");
    const { stdin, stdout, stderr } = process;
    const signal = interruptions(stdout, stderr);
    process.exitCode = await runCommand(found.name, found.argv, { stdin, stdout, stderr, signal });
    await exitSoon();
    return;
  }
  if (found.kind === "overview") {
    surviveReaders(false);
    await printOverview();
    return;
  }
  if (found.kind === "completion") {
    surviveReaders(false);
    const { answerCompletion } = await import("./cli/completion/answer.ts");
    process.stdout.write(await answerCompletion(found.argv));
    await exitSoon();
    return;
  }
  if (found.kind === "unknown") {
    const { unknownCommand } = await import("./cli/unknown-command.ts");
    throw new StartError(unknownCommand(found.word));
  }
  const { readCommandLine } = await import("./config.ts");
  const command = readCommandLine();
  surviveReaders(command.name === "up" || command.name === "serve");
  switch (command.name) {
    case "help":
      process.stdout.write(command.text);
      return;
    case "overview":
      await printOverview();
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
    case "policy": {
      const { checkPolicy } = await import("./check-policy.ts");
      const { isPermitted, text } = checkPolicy(command);
      process.stdout.write(`${text}\n`);
      process.exitCode = isPermitted ? 0 : 1;
      return;
    }
    case "token": {
      const { runTokenCommand } = await import("./token-command.ts");
      const { out, note } = await runTokenCommand(command);
      process.stdout.write(out);
      process.stderr.write(note);
      return;
    }
    case "serve":
    case "up": {
      const { environmentEndpoint, takeServiceManager, usualDataDir } = await import("./config.ts");
      const { runGateway } = await import("./gateway.ts");
      const { banner } = await import("./banner.ts");
      const { waitingText } = await import("./announce.ts");
      const { jsonLine, textLine } = await import("./log-line.ts");
      const { createLogOutput } = await import("./log-output.ts");
      const { logFormat = process.stderr.isTTY ? "text" : "json" } = command;
      const output = createLogOutput(process.stderr, logFormat === "text" ? textLine : jsonLine);
      process.once("exit", output.flush);
      const { failed } = await runGateway(command.config, {
        say: (text) => process.stdout.write(`${text}\n`),
        log: output.log,
        texts: (state) => ({
          ready: (runtime) =>
            banner({ ...state, runtime, program: programName(), usualDataDir: usualDataDir() }),
          waiting: (trouble) => waitingText(state.address, trouble),
        }),
        ...stopSignals(),
        otlpEndpoint: environmentEndpoint(),
        ...takeServiceManager(),
      });
      await output.end();
      process.exit(failed ? 1 : 0);
    }
  }
}

/** Ends the process once its output is written, even if a connection does not answer its end within a second. */
async function exitSoon(): Promise<void> {
  for (const output of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => void output.write("", () => resolve()));
  setTimeout(() => process.exit(), 1000).unref();
}

/** How to run this program again from another folder: `crest` where it is installed. */
function programName(): string {
  const [, script = ""] = process.argv;
  return script.endsWith("/crest") || !script.startsWith("/") ? "crest" : script;
}

async function printOverview(): Promise<void> {
  const { overview } = await import("./cli/help.ts");
  process.stdout.write(overview());
}

/**
 * Handles output that nobody reads any more. `crest openapi | head` simply ends. A gateway whose terminal or pipe is
 * gone keeps running, so that it can stop its runtime properly later.
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
 * The names of the first and second stop signals. SIGHUP means that the terminal was closed. Further signals have no
 * effect: removing a private runtime takes a few seconds.
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
