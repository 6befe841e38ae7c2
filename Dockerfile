# Two images:
#   docker build --tag iam-orchestrator .
#   docker build --tag simulated-build-api --target simulated-build-api .
# The first holds the worker and the command line: docker run --rm iam-orchestrator node dist/client.js --help

# Debian, not Alpine: the native half of Temporal's SDK (@temporalio/core-bridge) is built for glibc alone.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app

# What runs: glibc, libstdc++ and the certificates of public authorities, no shell and no package manager. Its tags name no
# version, so the digest does; signed: cosign verify --certificate-oidc-issuer https://accounts.google.com
#   --certificate-identity keyless@distroless.iam.gserviceaccount.com IMAGE
FROM gcr.io/distroless/cc-debian13:nonroot@sha256:54df941ed0d06a1bd95ef5e0ce391fd8d9f94b64782dc9a60062727849ee3f97 AS runtime
# WORKDIR gives the folder to the current user. The base image's is 65532, who could then replace the program's files.
USER 0:0
WORKDIR /app
# The Node.js that the tests run on; distroless' own images have another.
COPY --from=base /usr/local/bin/node /usr/local/bin/node
# By number, so that Kubernetes' runAsNonRoot can tell that it is not root. It is the image's user "nonroot".
USER 65532:65532

FROM base AS build
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/bundle-client.ts scripts/
COPY src src
RUN npm run build

FROM base AS dependencies
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
# The SDK brings its native half for five platforms, 25 MB and more each. This image needs its own.
RUN find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 \
      ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} +

# Runs as TypeScript: it needs Node.js's own modules and nothing else.
FROM runtime AS simulated-build-api
COPY package.json ./
COPY src/process/signals.ts src/process/listen.ts src/process/
COPY dev/simulated-build-api dev/simulated-build-api
EXPOSE 8090
CMD ["node", "dev/simulated-build-api/main.ts", "--host", "0.0.0.0"]

FROM runtime AS app
ENV NODE_ENV=production
# A worker then takes a third less memory (two heaps of glibc, a small young generation of V8) and a poll less CPU (one thread
# of the SDK's native half): bench/README.md.
ENV MALLOC_ARENA_MAX=2
ENV TOKIO_WORKER_THREADS=1
ENV NODE_OPTIONS=--max-semi-space-size=8
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# There is no npm, which would stand between a SIGTERM and the worker that has to finish its steps.
CMD ["node", "dist/worker.js"]
