/** A failure with an exit code of its own. */
import { StartError } from "../errors.ts";

export class ExitError extends StartError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
