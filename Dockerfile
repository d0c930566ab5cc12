# The same Node version as in package-lock.json, in both stages.
FROM node:26.10-slim AS build
WORKDIR /app
# Dependencies first: a change in the sources does not install them again.
# Modes are set here: a clone that was made under another umask has files that only its owner may read.
COPY --chmod=0644 package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY --chmod=0644 rolldown.config.ts ./
COPY --chmod=0755 src ./src
RUN npm run build

FROM node:26.10-slim
ENV NODE_ENV=production
# Both generations of the heap are bounded: without bounds they grow with the memory of the machine, not with that of the
# container. See docs/operating.md, "Memory".
ENV NODE_OPTIONS="--max-old-space-size=256 --max-semi-space-size=8"
ENV CATALOG_PATH=/app/catalog/catalog.json
WORKDIR /app

# One file with everything in it, its threads, and the maps that lead from its lines to those of the sources.
COPY --from=build --chmod=0644 /app/dist/* ./
COPY --chmod=0644 package.json catalog.schema.json ./

# The program belongs to root; the user "node", who runs it, can write to the data folder only.
RUN install -d -o node -g node -m 0700 data
VOLUME /app/data
USER node

EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# Without a shell or npm in between, signals reach the service itself. The folder of the catalog is mounted, see
# docker-compose.yml.
CMD ["node", "buy-links.js"]
