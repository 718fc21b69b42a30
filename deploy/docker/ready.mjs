/**
 * The image's health check: asks the gateway in the same container for /readyz, where CREST_LISTEN says that
 * it listens. Exits with 0 when it is ready, else with 1 and the reason.
 *
 * Slim images have no curl. Plain JavaScript, since it is copied as it is.
 */
import { readFileSync } from "node:fs";

const { CREST_LISTEN = "127.0.0.1:8585", CREST_TLS_CERT, CREST_TLS_KEY, CREST_TLS_CLIENT_CA } = process.env;

/** Where to ask: a socket's path, or this machine where it listens on every address. */
function place() {
  if (CREST_LISTEN.startsWith("unix:"))
    return { socketPath: CREST_LISTEN.replace(/^unix:(\/\/(?=\/))?/, "") };
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(CREST_LISTEN) ?? [];
  return { host: host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host, port };
}

/** The gateway's own certificate also stands for a client's, where it wants one. */
function certificates() {
  if (CREST_TLS_CLIENT_CA === undefined) return {};
  return { cert: readFileSync(CREST_TLS_CERT), key: readFileSync(CREST_TLS_KEY) };
}

const { get } = await import(CREST_TLS_CERT === undefined ? "node:http" : "node:https");
// Nothing secret is sent or believed: that the certificate names somebody else than 127.0.0.1 is as it should.
get({
  ...place(),
  ...certificates(),
  path: "/readyz",
  headers: { host: "localhost" },
  rejectUnauthorized: false,
  timeout: 4000,
})
  .on("timeout", () => end(1, "no answer"))
  .on("error", (error) => end(1, error.message))
  .on("response", (answer) => {
    let text = "";
    answer.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    answer.on("end", () => end(answer.statusCode === 200 ? 0 : 1, text.trim()));
  });

function end(code, text) {
  console.log(text);
  process.exit(code);
}
