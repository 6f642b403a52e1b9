# Builds the binary in one image and runs it in a small one, as a user without rights.
#
#   docker build -t dyno-restarter .
#   docker run --rm -p 3000:3000 --env-file .env dyno-restarter
#
# On SIGTERM the service sees a restart in progress through: docker stop -t 30

FROM rust:1-slim-trixie AS build
WORKDIR /source
COPY . .
RUN scripts/build-release

FROM debian:trixie-slim
# The service calls Heroku over TLS.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/release/dyno-restarter /usr/local/bin/dyno-restarter
USER 10001:10001
# PORT changes it.
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s CMD ["dyno-restarter", "health"]
CMD ["dyno-restarter"]
