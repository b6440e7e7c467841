# One image for every role: `serve --gateway`, `worker`, `db upgrade`. Dependencies are pinned and hashed.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements-run.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/earful \
 && /opt/earful/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-run.lock
COPY bot bot
COPY channels channels
COPY nlu nlu
COPY storage storage
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check "setuptools>=77" \
 && /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/earful/bin/pip install --no-cache-dir --no-deps --no-index /dist/*.whl

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin earful && install -d -o 10001 -g 10001 /data
COPY --from=build /opt/earful /opt/earful
ENV PATH=/opt/earful/bin:$PATH PYTHONDONTWRITEBYTECODE=1 EARFUL_DATA_DIR=/data EARFUL_HOST=0.0.0.0 EARFUL_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["earful"]
CMD ["serve"]
