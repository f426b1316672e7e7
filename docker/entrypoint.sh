#!/bin/bash
# Starts one Kafka node from KAFKA_* variables, as the apache/kafka image does.
# Not carried over from there: KAFKA_JMX_PORT and the KAFKA_SSL_*_FILENAME and
# _CREDENTIALS shorthands (set KAFKA_SSL_KEYSTORE_LOCATION and so on instead).
set -euo pipefail

# As with apache/kafka, KEY=VALUE arguments override the environment and any
# other command runs instead of the broker: docker run -it IMAGE bash
for argument in "$@"; do
  [[ $argument == *=* ]] || exec "$@"
  export "${argument?}"
done

# A fixed id lets nodes that were given none still form one cluster.
export CLUSTER_ID="${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}"

if [[ -z ${KAFKA_ADVERTISED_LISTENERS-} ]]; then
  # Set but empty, it would still become a setting that controllers refuse.
  unset KAFKA_ADVERTISED_LISTENERS
elif [[ -z ${KAFKA_LISTENERS-} ]]; then
  # A container cannot bind the host address it advertises: bind every address,
  # which is what an empty host means.
  KAFKA_LISTENERS=$(sed -E 's#//[^,]*:([0-9]+)#//:\1#g' <<<"$KAFKA_ADVERTISED_LISTENERS")
  export KAFKA_LISTENERS
fi

# The wrapper turns log levels into a log4j2.yaml, which slf4j-simple ignores.
log=org.slf4j.simpleLogger
log_options=("-D$log.showDateTime=true" "-D$log.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS")
if [[ -n ${KAFKA_LOG4J_ROOT_LOGLEVEL-} ]]; then
  log_options+=("-D$log.defaultLogLevel=${KAFKA_LOG4J_ROOT_LOGLEVEL,,}")
fi
IFS=, read -ra loggers <<<"${KAFKA_LOG4J_LOGGERS-}"
for logger in "${loggers[@]}"; do
  level=${logger#*=}
  log_options+=("-D$log.log.${logger%%=*}=${level,,}")
done

# The class archive fits one order of jars only; 'libs/*' as a class path would
# take whatever order the file system lists them in.
printf -v class_path '%s:' /opt/kafka/libs/*.jar

# From here on words are split, but '*' in an option is not a file pattern.
set -f
# A test broker should start fast and stay small; peak speed matters less.
# shellcheck disable=SC2206
java=(
  /opt/java/bin/java
  ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1}
  ${KAFKA_HEAP_OPTS:--Xmx256m}
  "${log_options[@]}"
  -cp "${class_path%:}"
  ${KAFKA_OPTS-}
)
# The image build starts a broker to record this archive; it has none yet.
if [[ -e /opt/kafka/classes.jsa ]]; then
  java+=(-XX:SharedArchiveFile=/opt/kafka/classes.jsa)
fi

# A restarted container was formatted the first time: that complaint is no error.
if ! output=$("${java[@]}" kafka.docker.KafkaDockerWrapper setup \
      --default-configs-dir /etc/kafka/docker \
      --mounted-configs-dir /mnt/shared/config \
      --final-configs-dir /opt/kafka/config 2>&1) &&
    ! grep -qi 'already formatted' <<<"$output"; then
  printf '%s\n' "$output" >&2
  exit 1
fi

# exec makes the broker PID 1, the process that docker stop sends SIGTERM to.
# shellcheck disable=SC2086
exec "${java[@]}" ${KAFKA_JMX_OPTS-} kafka.Kafka /opt/kafka/config/server.properties
