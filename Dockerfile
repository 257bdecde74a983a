# One image for every program of the platform: ingest, api, simulators, the command line.
#
#   docker build -t passerelle .
#
# What is installed is what requirements-runtime.lock and deploy/image/build.lock name, with the hash
# of every file checked. Dependencies and project are layers of their own: a change of the project
# rebuilds only the small one.

FROM debian:bookworm-slim AS dependencies
# Behind a network with a certificate authority of its own, give its file by both of these.
ARG PIP_CERT
ARG SSL_CERT_FILE
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY deploy/image/build.lock deploy/image/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --no-cache-dir --disable-pip-version-check \
        --require-hashes --requirement deploy/image/build.lock
ENV VIRTUAL_ENV=/opt/dependencies UV_NO_CACHE=1 UV_LINK_MODE=copy
COPY requirements-runtime.lock ./
RUN python3 -m venv --without-pip /opt/dependencies \
    && /opt/build/bin/uv pip sync --quiet --require-hashes --compile-bytecode \
        requirements-runtime.lock

FROM dependencies AS build
COPY . .
RUN /opt/build/bin/python -c 'from setuptools.build_meta import build_wheel; build_wheel("/tmp")' \
    && /opt/build/bin/uv pip install --quiet --offline --no-deps --compile-bytecode \
        --target /opt/passerelle /tmp/passerelle-*.whl
LABEL passerelle.stage=build

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --uid 970 --home-dir /var/lib/passerelle passerelle \
    && install --directory --owner=passerelle --group=passerelle /var/lib/passerelle
COPY --from=dependencies /opt/dependencies /opt/dependencies
ENV PATH=/opt/passerelle/bin:/opt/dependencies/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/passerelle \
    PYTHONUNBUFFERED=1 \
    PASSERELLE_DATA_DIR=/var/lib/passerelle \
    PASSERELLE_LOGGING__FORMAT=json \
    HEALTH_URL=http://127.0.0.1:8000/health/live
COPY --from=build /opt/passerelle /opt/passerelle
COPY --chmod=755 deploy/image/healthcheck /usr/local/bin/passerelle-healthcheck
COPY --chmod=755 deploy/image/simulate-site /usr/local/bin/passerelle-simulate-site
USER passerelle
WORKDIR /var/lib/passerelle
VOLUME ["/var/lib/passerelle"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["passerelle-healthcheck"]
CMD ["python", "-m", "api"]
