/** `node dist/test/install.js`: installs the Debian packages that the tests need, where possible. */
import { StartError } from "../src/errors.ts";
import { ensurePackages } from "./support/packages.ts";

try {
  await ensurePackages((step) => console.log(step));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
