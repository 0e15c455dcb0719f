# One image for every process of Countersign; the command says which. Slim, non-root, nothing compiled at run time.
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit

FROM node:20.20.2-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=root:root /app/package.json ./
COPY --from=build --chown=root:root /app/node_modules ./node_modules
COPY --from=build --chown=root:root /app/dist ./dist
COPY --from=build --chown=root:root /app/examples ./examples
# `node` (uid 1000) comes with the image; it owns nothing under /app and writes only to /data.
RUN install -d -o node -g node -m 0700 /data
USER node
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["--help"]
