"""Write predicted pages in the formats of archives: ALTO, PAGE XML, hOCR, JSON, PDF, plain text."""
