/** The tour with the client that openapi-typescript and openapi-fetch make. */
import createClient from "openapi-fetch";
import type { components, paths } from "./crest.js";

type Problem = components["schemas"]["Problem"];

const {
  CREST_URL = "",
  CREST_TOKEN = "",
  IMAGE = "",
  REGISTRY_USER = "",
  REGISTRY_PASSWORD = "",
} = process.env;

const crest = createClient<paths>({
  baseUrl: CREST_URL,
  headers: { Authorization: `Bearer ${CREST_TOKEN}` },
});

/** What a call answers. @throws {Error} with its problem as the cause. */
async function answerOf<T>(call: Promise<{ data?: T; error?: Problem }>): Promise<T> {
  const { data, error } = await call;
  if (error) throw new Error(`${error.code}: ${error.detail}`, { cause: error });
  return data as T;
}

const auth = { username: REGISTRY_USER, password: REGISTRY_PASSWORD };
const image = await answerOf(crest.POST("/v1/images/pull", { body: { image: { image: IMAGE }, auth } }));
console.log("pulled", image.imageRef);

const pod = await answerOf(crest.POST("/v1/pods", { body: { metadata: { name: "tour" } } }));
const container = await answerOf(
  crest.POST("/v1/pods/{podSandboxId}/containers", {
    params: { path: pod },
    body: {
      metadata: { name: "one" },
      image: { image: IMAGE },
      command: ["sleep", "3600"],
      envs: [{ key: "GREETING", value: "hello from one" }],
      labels: { app: "tour" },
    },
  }),
);
const params = { path: container };
await answerOf(crest.POST("/v1/containers/{containerId}/start", { params }));

const cmd = ["sh", "-c", "echo $GREETING"];
const ran = await answerOf(
  crest.POST("/v1/containers/{containerId}/exec", { params, body: { cmd, timeout: "10" } }),
);
console.log("exec", ran.exitCode, ran.stdout.trim());

/** The problem that a call must end with. */
async function problemOf(call: Promise<{ error?: Problem }>): Promise<Problem> {
  const { error } = await call;
  if (!error) throw new Error("it was done, and should have been refused");
  return error;
}

for (const name of ["two", "three"]) {
  const body = { metadata: { name }, image: { image: IMAGE } };
  await answerOf(crest.POST("/v1/pods/{podSandboxId}/containers", { params: { path: pod }, body }));
}
const names = (containers: readonly components["schemas"]["Container"][]) =>
  containers.map(({ metadata }) => metadata?.name).join(" ");

const labelled = await answerOf(
  crest.GET("/v1/containers", { params: { query: { labelSelector: "app=tour" } } }),
);
console.log("labelled", names(labelled.containers));

let next: { continue?: string } = {};
do {
  const page = await answerOf(crest.GET("/v1/containers", { params: { query: { limit: 2, ...next } } }));
  console.log("page", names(page.containers));
  next = page.continue === undefined ? {} : { continue: page.continue };
} while (next.continue !== undefined);

const again = await problemOf(crest.POST("/v1/containers/{containerId}/start", { params }));
console.log("start again", again.code);
const tooMany = await problemOf(crest.GET("/v1/containers", { params: { query: { limit: 5000 } } }));
console.log("limit 5000", tooMany.code, tooMany.errors?.[0]?.parameter);

await answerOf(
  crest.POST("/v1/containers/{containerId}/stop", { params: { ...params, query: { timeout: "0" } } }),
);
const { status } = await answerOf(crest.GET("/v1/containers/{containerId}", { params }));
console.log("stopped", status?.state, status?.exitCode);

await answerOf(crest.DELETE("/v1/containers/{containerId}", { params }));
console.log("removed", (await problemOf(crest.GET("/v1/containers/{containerId}", { params }))).code);
await answerOf(crest.POST("/v1/pods/{podSandboxId}/stop", { params: { path: pod } }));
await answerOf(crest.DELETE("/v1/pods/{podSandboxId}", { params: { path: pod } }));

const reference = { params: { path: { image: IMAGE } } };
const found = await answerOf(crest.GET("/v1/images/{image}", reference));
console.log("image", found.image?.repoTags.join(" "));
const gone = await answerOf(crest.DELETE("/v1/images/{image}", reference));
console.log("image removed", gone.repoTags.join(" "));
console.log("image", (await problemOf(crest.GET("/v1/images/{image}", reference))).code);
