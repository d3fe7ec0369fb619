# The page in a container: docker build -t sinktrack . && docker run -p 7860:7860 sinktrack
# With a GPU: docker run --gpus all -p 7860:7860 -v sinktrack-models:/home/user/.cache sinktrack
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user/app
ENV PATH=/home/user/.local/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_ANALYTICS_ENABLED=False \
    HF_HUB_DISABLE_TELEMETRY=1

COPY --chown=user requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --user --constraint constraints.txt -r requirements.txt
COPY --chown=user . .

EXPOSE 7860
CMD ["python", "app.py"]
