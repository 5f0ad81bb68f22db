# One image for every process: api, worker, gateway, migrate, papernet. It runs read-only; what must be kept lies in
# /var/lib/order-engine. Replace the tag of the base image by a digest if your builds have to be repeatable.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements-server.lock ./
RUN python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --disable-pip-version-check --no-cache-dir --no-input \
      --require-hashes --only-binary :all: -r requirements-server.lock
COPY order_engine /app/order_engine
COPY gateway /app/gateway
COPY protos /app/protos
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /app \
 && cd /app && /opt/venv/bin/python -c "import order_engine.bootstrap, gateway.server"

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="order-engine" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 order-engine \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin order-engine \
 && install -d -o 10001 -g 10001 -m 0700 \
      /var/lib/order-engine /var/lib/order-engine/wallet /var/lib/order-engine/papernet
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY LICENSE /app/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATE_DIR=/var/lib/order-engine \
    LOG_FORMAT=json
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m"]
CMD ["order_engine", "--help"]
