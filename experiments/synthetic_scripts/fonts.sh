#!/usr/bin/env bash
# Fetch open fonts (OFL or Apache-2.0) of five scripts, handwriting or close to it. Needs npm.
# Writes data/fonts/SCRIPT/NAME-SUBSET.woff2.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fetch() { # SCRIPT SUBSET NAMES...
  local script=$1 subset=$2
  shift 2
  npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts "${@/#/@fontsource/}"
  mkdir -p "data/fonts/$script"
  for name in "$@"; do
    cp "$folder/node_modules/@fontsource/$name/files/$name-$subset-400-normal.woff2" "data/fonts/$script/$name-$subset.woff2"
  done
  echo "$(ls "data/fonts/$script" | wc -l) fonts in data/fonts/$script"
}
fetch arabic arabic aref-ruqaa gulzar lateef lemonada rakkas vibes
fetch hebrew hebrew amatic-sc bellefair fredoka gveret-levin karantina playpen-sans-hebrew rubik solitreo suez-one varela-round
fetch greek greek cardo caudex gfs-didot gfs-neohellenic mansalva playpen-sans
fetch russian cyrillic amatic-sc bad-script balsamiq-sans caveat comforter marck-script neucha pacifico pangolin playpen-sans \
  shantell-sans
fetch chinese chinese-simplified liu-jian-mao-cao long-cang ma-shan-zheng zcool-kuaile zhi-mang-xing
