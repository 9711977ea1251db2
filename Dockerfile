# The wheels of `make dist`, on a processor: no compiler, no checkout.
#   make dist && docker build -t mnistarena .
#   docker run --rm -v "$PWD:/work" mnistarena run specs/quick.toml
FROM python:3.12-slim

COPY dist/*.whl /wheels/

# torch without CUDA is a tenth of the size.
RUN pip install --no-cache-dir torch torchvision --index-url https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir --find-links /wheels "mnistarena[default]"
RUN rm -r /wheels

# Runs and the cache of data sets belong to whoever starts the container, and lie where the folder is mounted.
RUN useradd --create-home arena
USER arena
WORKDIR /work
ENTRYPOINT ["arena"]
CMD ["doctor"]
