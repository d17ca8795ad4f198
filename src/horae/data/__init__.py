"""Raw log in, Events out: reading, understanding, cleaning, describing, splitting, simulating, storing.

Uses polars and never torch. Nothing is imported here, so that `import horae` stays light: name the module you need,
such as `horae.data.clean`.
"""
