"""The doctor: looks at the lines of a data set before a GPU does, and names what is wrong with them."""
