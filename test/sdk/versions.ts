/**
 * What makes the clients, and the linter: their versions, in one place. npm's own package.json has to repeat
 * its share, and is held to it; what these need themselves is pinned by each language's lock file.
 */
export const versions = {
  "@redocly/cli": "2.77.0",
  "openapi-typescript": "7.13.0",
  "openapi-fetch": "0.17.0",
  "openapi-python-client": "0.29.1",
  "oapi-codegen": "v2.8.2",
  "openapi-generator": "7.25.0",
} as const;
