#!/usr/bin/env bash
# Read pages from S3 and write results there, against a server of moto on this machine: bash s3.sh SCANS, a folder of scans.
# Needs: pip install s3fs 'moto[server]'
set -euo pipefail
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=http://127.0.0.1:5055
moto_server --host 127.0.0.1 --port 5055 >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT
python - "$1" <<'PYTHON'
import sys
import time

import fsspec

s3 = fsspec.filesystem("s3")
for _ in range(60):  # until the server listens
    try:
        s3.mkdir("archive")
        break
    except Exception:
        time.sleep(1)
s3.mkdir("results")
s3.put(sys.argv[1].rstrip("/") + "/", "archive/box 1", recursive=True)
PYTHON
predict() { python -m htr_lightning predict zoo:latin s3://archive --out s3://results/run --format txt,alto "$@" || echo "exit code $?"; }
predict --index
predict
predict --overwrite --engine ray --workers 2
predict --status
AWS_ENDPOINT_URL=http://127.0.0.1:5056 predict
(unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY && AWS_EC2_METADATA_DISABLED=true predict)
python -m htr_lightning predict zoo:latin s3://no-such-bucket --out s3://results/other --format txt || echo "exit code $?"
