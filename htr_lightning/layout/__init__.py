"""Page layouts (regions, lines, baselines, transcriptions) and the formats ALTO and PAGE XML."""
