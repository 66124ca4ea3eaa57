#!/bin/bash
# Train crnn on all real lines within MINUTES on one GPU, start included, from what gpu_pack.py wrote:
#   bash experiments/pretrain_latin/gpu.sh runs/gpu/lines OUT [MINUTES]
# A first run of 100 steps packs the lines and measures the speed; the second ends its schedule in the time that is left.
# OUT gets model.safetensors (16 bits, about 15 MB), result.json, config.yaml, run.json and metrics.csv.
# On a CPU, for two steps: TRAINER=cpu STEPS=2 bash experiments/pretrain_latin/gpu.sh runs/gpu/lines /tmp/out
set -euo pipefail
lines=$1 out=$2 minutes=${3:-10} began=$SECONDS
trainer=${TRAINER:-gpu}
run() { # NAME STEPS
  python -m htr_lightning --config-dir experiments/pretrain_latin/conf +experiment=pretrain_gpu dataset.root="$lines" \
    trainer="$trainer" trainer.max_epochs=-1 "+trainer.max_steps=$2" "+trainer.val_check_interval=$3" \
    ++trainer.check_val_every_n_epoch=null trainer.log_every_n_steps=10 "hydra.run.dir=$out/$1" "${@:4}"
}
if [ -n "${STEPS:-}" ]; then
  steps=$STEPS
else
  run trial 100 100
  steps=$(python - "$out/trial" "$minutes" $((SECONDS - began)) <<'PY'
import itertools, statistics, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(f"{sys.argv[1]}/tensorboard")
events.Reload()
points = events.Scalars("train/loss_step")
speed = statistics.median((b.step - a.step) / (b.wall_time - a.wall_time) for a, b in itertools.pairwise(points))
left = 60 * float(sys.argv[2]) - float(sys.argv[3]) - 75  # the start of the second run, its validations and its end
print(max(4, int(left * speed * 0.95)))
PY
)
fi
echo "$steps steps"
run run "$steps" $((steps / 4 > 0 ? steps / 4 : 1))
python -m htr_lightning export "$out/run" --half --out "$out/model.safetensors"
cp "$out"/run/{result.json,config.yaml,run.json} "$out"
cp "$out"/run/csv/*/metrics.csv "$out"
rm -rf "$out/trial" "$out/run"
