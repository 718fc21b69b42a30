# Crest in front of a runtime that is there (crest serve). The base needs Node 20.19 or newer as `node`
# in its PATH, npm for the build, and no shell for the run.
#
# The base is pinned by digest, because a tag may name another image tomorrow. This is node:22-slim of October 2026:
# Node 22.23.3 on Debian 12, the index of all platforms. To renew it, here and in docker-compose.yml, take the digest
# that this prints, and the version that `docker run --rm node:22-slim node --version` prints:
#
#   docker buildx imagetools inspect node:22-slim
ARG BASE=node:22.23.3-slim@sha256:c3de60bf2f9dd0ac6370e6117950ff62d6e339527e7472301c9c78a017978392

FROM ${BASE} AS build
WORKDIR /opt/crest
COPY package.json package-lock.json tsconfig.json ./
COPY src src
# In one step, so that neither npm's cache nor the compiler becomes a layer. No package needs its scripts.
RUN npm ci --ignore-scripts --no-audit --no-fund --cache=/tmp/npm \
 && node node_modules/typescript/bin/tsc \
 && node dist/src/codegen/write-sbom.js \
 && npm prune --ignore-scripts --no-audit --no-fund --cache=/tmp/npm --omit=dev \
 && rm -rf /tmp/npm

FROM ${BASE}
COPY --from=build /opt/crest/node_modules /opt/crest/node_modules
COPY --from=build /opt/crest/dist/src /opt/crest/dist/src
COPY --from=build /opt/crest/sbom.cdx.json /opt/crest/
COPY package.json LICENSE THIRD-PARTY.md /opt/crest/
COPY openapi /opt/crest/openapi
COPY src/docs/assets /opt/crest/src/docs/assets
COPY deploy/docker/ready.mjs /opt/crest/
ENV NODE_ENV=production CREST_DATA_DIR=/var/lib/crest
# Nobody's number: on the node it may own the data folder, and nothing else.
USER 65532:65532
ENTRYPOINT ["node", "/opt/crest/dist/src/main.js"]
CMD ["serve"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/opt/crest/ready.mjs"]
