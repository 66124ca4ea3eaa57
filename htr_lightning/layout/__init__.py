"""Pages and their layouts: regions, lines, baselines, in the formats that archives use."""
