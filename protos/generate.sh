#!/usr/bin/env bash
# Regenerates the protobuf modules under bridge/ from protos/. Usage: protos/generate.sh [OUT_DIR]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out="${1:-.}"
python="${PYTHON:-.venv/bin/python}"
[[ -x "$python" ]] || python=python3
mkdir -p "$out"
find protos -name '*.proto' -print0 | sort -z | xargs -0 \
  "$python" -m grpc_tools.protoc --proto_path=protos --python_out="$out" --pyi_out="$out"
# protoc writes bare Mapping in its stubs, which strict type checking refuses.
find "$out/bridge" -name '*_pb2.pyi' -print0 | xargs -0 sed -i '1i # mypy: disable-error-code="type-arg"'
