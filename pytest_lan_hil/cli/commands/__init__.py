"""The commands of `lan-hil`, as typer knows them: options and help only. A module for each kind of work.

Each module has a `register(app)`, which `cli.app` calls. A command imports its room when it runs, so that
`lan-hil --help` answers at once.
"""
