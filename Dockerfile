# Build: a compiler for the addon and for raw-socket, TypeScript for the rest.
FROM node:20-bookworm AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc binding.gyp tsconfig.json ./
COPY native native
RUN npm ci
COPY src src
RUN npm run build && npm prune --omit=dev

# Run: no compiler, no shell tools beyond the base image's.
FROM node:20-bookworm-slim
WORKDIR /opt/ipipoud
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/build/Release/ipipoud.node build/Release/ipipoud.node
COPY --from=build /src/dist/bin dist/bin
COPY conf conf
RUN mkdir -p /etc/ipipou /run/ipipoud /var/lib/ipipoud

# CAP_NET_ADMIN and CAP_NET_RAW, the host's first user namespace, and the module `fou` loaded on the host:
#   docker run --network host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW \
#     -v /etc/ipipou:/etc/ipipou:ro ipipoud
HEALTHCHECK --interval=30s --timeout=10s CMD ["node", "dist/bin/ipipoud.js", "status"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/bin/ipipoud.js"]
