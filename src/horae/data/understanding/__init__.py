"""How `horae.data.columns` tells what a column holds: by its name, by its values, as times and as numbers."""
