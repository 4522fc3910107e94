"""Apache Kafka's jars in ``.cache/kafka``, put there once by Maven. Standard library only."""

import fcntl
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

KAFKA_VERSION = "4.4.0"
SLF4J_VERSION = "1.7.36"
"""Kafka brings slf4j-api 1.7: a 2.x implementation beside it would be ignored."""

JAVA_VERSION_MIN = 17
CACHE = Path(__file__).resolve().parent.parent / ".cache"
FETCH_TIMEOUT_S = 300.0
FETCH_ATTEMPTS = 3

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>otlp-bridge</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
      <version>{SLF4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class KafkaServerError(Exception):
    """Kafka cannot be fetched or started; the text says what to install or what it printed."""


def find_java() -> str:
    """
    The path of a Java that can run Kafka.

    Raises:
        KafkaServerError: If there is none, or it is too old.
    """
    java = shutil.which("java")
    advice = (
        f"Java {JAVA_VERSION_MIN} or newer is needed to start Kafka: "
        "on Debian or Ubuntu: apt-get install default-jre-headless"
    )
    if java is None:
        raise KafkaServerError(advice)
    told = subprocess.run(
        [java, "-version"], capture_output=True, text=True, timeout=30, check=False
    )
    found = re.search(r'version "(\d+)', told.stderr)
    if found is None or int(found[1]) < JAVA_VERSION_MIN:
        raise KafkaServerError(f"{advice}; {java} says: {told.stderr.strip()[:200]}")
    return java


def fetch_kafka() -> Path:
    """
    The folder with Kafka's jars; fetched when it is not there yet, by one process at a time.

    Raises:
        KafkaServerError: If Maven is missing or fails three times.
    """
    libs = CACHE / f"kafka-{KAFKA_VERSION}"
    if libs.is_dir():
        return libs
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libs.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="kafka-part-") as part:
                _run_maven(Path(part))
                # The rename makes it appear whole or not at all.
                (Path(part) / "libs").rename(libs)
    return libs


def _run_maven(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaServerError(
            "Maven is needed once to fetch Kafka: on Debian or Ubuntu: apt-get install maven"
        )
    (folder / "pom.xml").write_text(_POM)
    command = [maven, "-q", "-B", "-f", str(folder / "pom.xml")]
    # Beside the jars, so that nothing outside the repository is written.
    command += [f"-Dmaven.repo.local={CACHE / 'maven'}", "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'libs'}"]
    for attempt in range(1, FETCH_ATTEMPTS + 1):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
        if done.returncode == 0:
            return
        if attempt < FETCH_ATTEMPTS:
            time.sleep(2.0 * attempt)
    raise KafkaServerError(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{done.stdout[-2000:]}")
