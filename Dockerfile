FROM node:20-bookworm AS build
WORKDIR /drover
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /drover/package.json /drover/package.json
COPY --from=build /drover/node_modules /drover/node_modules
COPY --from=build /drover/dist /drover/dist
COPY drizzle /drover/drizzle
COPY flows /drover/flows
RUN ln -s /drover/dist/cli/main.js /usr/local/bin/drover \
  && chmod +x /drover/dist/cli/main.js \
  && install -d -o node -g node -m 700 /data
USER node
WORKDIR /data
VOLUME /data
EXPOSE 4400
ENTRYPOINT ["drover"]
CMD ["--help"]
