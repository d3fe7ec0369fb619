# The page in a container, for a GPU or for CPUs:
#   docker build -t sinktrack .
#   docker run --gpus all -p 7860:7860 -v sinktrack-data:/data sinktrack
#   docker build -t sinktrack-cpu --build-arg TORCH=cpu .
#   docker run --read-only -p 7860:7860 -v sinktrack-data:/data sinktrack-cpu
# Everything is written below /data, and nothing else has to be writable. See docs/hosting.md.

FROM python:3.12-slim AS packages
# cuda: torch as PyPI has it, which brings CUDA along. cpu: a build without it, several GB smaller.
ARG TORCH=cuda
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /build
COPY requirements.txt constraints.txt ./
RUN if [ "$TORCH" = cpu ]; then \
        pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu \
            --constraint constraints.txt torch torchvision; \
    fi \
    && pip install --no-cache-dir --constraint constraints.txt -r requirements.txt

FROM python:3.12-slim
ARG TORCH=cuda
# Triton compiles its kernels on the machine that has the GPU.
# hadolint ignore=DL3008
RUN if [ "$TORCH" = cuda ]; then \
        apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
        && rm -rf /var/lib/apt/lists/*; \
    fi
RUN useradd --uid 1000 --home-dir /data --create-home user
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
# What changes most comes last, so that a new version is a small layer. All of it belongs to root.
COPY assets assets
COPY sinktrack sinktrack
COPY app app
COPY app.py ./
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    SINKTRACK_DATA=/data
USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}/healthz\", timeout=4)"]
CMD ["python", "app.py"]
