# The lab in a container. /dev/kvm comes from docker-compose.kvm.yml, where the host has one.
FROM python:3.13-slim

WORKDIR /srv/ringfence
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY alembic.ini ./
COPY alembic alembic
COPY engine engine
COPY app app
COPY labs labs
COPY static static
COPY templates templates
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .

# Nothing the server does needs root; the group of /dev/kvm is added at run time.
RUN useradd --system --create-home ringfence && install -d -o ringfence /srv/ringfence/var
USER ringfence
ENV RINGFENCE_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/api/doctor', timeout=4)"]
CMD ["ringfence", "serve"]
