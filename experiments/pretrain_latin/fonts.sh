#!/usr/bin/env bash
# Fetch the 198 open handwriting fonts (OFL or Apache-2.0) that pretrain_synthetic uses besides the packages' twelve.
# Needs npm. Writes data/fonts/NAME.woff2.
set -euo pipefail
cd "$(dirname "$0")/../.."
names=(
  aguafina-script akaya-kanadaka alex-brush allura amita annie-use-your-telescope architects-daughter arizonia
  babylonica bad-script beth-ellen bilbo bilbo-swash-caps birthstone bonheur-royale borel butterfly-kids
  calligraffitti caramel carattere cause caveat-brush cedarville-cursive charm charmonman chilanka clicker-script
  comforter comforter-brush coming-soon cookie corinthia courgette covered-by-your-grace crafty-girls
  damion dawning-of-a-new-day dekko delicious-handrawn delius-swash-caps dr-sugiyama dynalight edu-au-vic-wa-nt-hand
  edu-au-vic-wa-nt-pre edu-nsw-act-cursive edu-qld-hand edu-sa-hand edu-vic-wa-nt-hand engagement ephesis estonia
  explora felipa festive fondamento fuggles fuzzy-bubbles gaegu gamja-flower give-you-glory
  gloria-hallelujah gochi-hand grand-hotel grape-nuts grechen-fuemen gwendolyn hachi-maru-pop handlee
  herr-von-muellerhoff hi-melody homemade-apple hurricane imperial-script ingrid-darling inspiration island-moments
  italianno itim jim-nightshade just-another-hand just-me-again-down-here kaushan-script kavivanar
  klee-one kolker-brush kristi la-belle-aurore licorice liu-jian-mao-cao long-cang love-light love-ya-like-a-sister
  loved-by-the-king lovers-quarrel luxurious-script mali mansalva marck-script margarine mea-culpa meddon meie-script
  meow-script merienda miss-fajardose monsieur-la-doulaise montez moon-dance mr-bedfort mr-dafoe mr-de-haviland
  mrs-saint-delafield ms-madi my-soul mynerve nanum-brush-script nanum-pen-script neucha niconne norican
  nothing-you-could-do oooh-baby over-the-rainbow pangolin parisienne passions-conflict patrick-hand
  petit-formal-script pinyon-script playball playpen-sans playwrite-be-wal playwrite-cz playwrite-de-grund
  playwrite-dk-loopet playwrite-es playwrite-fr-moderne playwrite-fr-trad playwrite-it-moderna playwrite-it-trad
  playwrite-nl playwrite-no playwrite-pl playwrite-us-modern playwrite-vn poor-story princess-sofia puppies-play
  quintessential qwigley qwitcher-grypen rancho redressed reenie-beanie rochester romanesco rouge-script ruthie
  sacramento sassy-frass schoolbell seaweed-script sedgwick-ave send-flowers sevillana shadows-into-light-two
  shantell-sans short-stack single-day smooch sofia solitreo square-peg sriracha stalemate style-script
  sue-ellen-francisco sunshiney swanky-and-moo-moo tangerine the-girl-next-door the-nautigal tillana twinkle-star
  updock vibur vujahday-script waiting-for-the-sunrise water-brush waterfall whisper windsong winky-rough winky-sans
  yesteryear yomogi yuji-boku zen-loop
)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts "${names[@]/#/@fontsource/}"
mkdir -p data/fonts
for name in "${names[@]}"; do
  cp "$folder/node_modules/@fontsource/$name/files/$name-latin-400-normal.woff2" "data/fonts/$name.woff2"
done
echo "$(ls data/fonts | wc -l) fonts in data/fonts"
