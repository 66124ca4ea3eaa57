"""Pages that were read, written in the formats that archives use."""
