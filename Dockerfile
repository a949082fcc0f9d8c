# Every step is a script, so that it can be run and tested where no image can be built.

# Build: a compiler for the addons, TypeScript for the rest.
FROM node:20-trixie AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc binding.gyp tsconfig.json README.md LICENSE ./
COPY native native
COPY src src
COPY conf conf
RUN ["sh", "conf/container/build.sh", "/out"]

# Run: Debian with its nodejs, no compiler, no npm.
FROM debian:trixie-slim
COPY conf/container/system.sh /root/
RUN ["sh", "/root/system.sh"]
COPY --from=build /out /usr/lib/ipipoud
USER ipipoud
# CAP_NET_ADMIN and CAP_NET_RAW, the host's first user namespace, and the module `fou` loaded on the host:
#   docker run --network host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW \
#     -v /etc/ipipou:/etc/ipipou:ro ipipoud
# What is mounted there must be readable by user 990. Not with no-new-privileges: see entrypoint.sh.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["ipipoud", "status"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/lib/ipipoud/conf/container/entrypoint.sh"]
