#!/usr/bin/env bash
# Fetch the 41 open handwriting fonts (OFL or Apache-2.0) that pretrain_synthetic uses besides the packages' twelve.
# Needs npm. Writes data/fonts/NAME.woff2.
set -euo pipefail
cd "$(dirname "$0")/../.."
names=(
  alex-brush allura annie-use-your-telescope architects-daughter bad-script birthstone caveat-brush
  cedarville-cursive cookie courgette covered-by-your-grace damion delicious-handrawn gaegu gloria-hallelujah
  gochi-hand handlee herr-von-muellerhoff homemade-apple italianno itim kaushan-script licorice mansalva
  marck-script mr-de-haviland nanum-brush-script nanum-pen-script oooh-baby parisienne patrick-hand
  pinyon-script reenie-beanie sacramento schoolbell short-stack sriracha sue-ellen-francisco swanky-and-moo-moo
  tangerine whisper
)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts "${names[@]/#/@fontsource/}"
mkdir -p data/fonts
for name in "${names[@]}"; do
  cp "$folder/node_modules/@fontsource/$name/files/$name-latin-400-normal.woff2" "data/fonts/$name.woff2"
done
echo "$(ls data/fonts | wc -l) fonts in data/fonts"
