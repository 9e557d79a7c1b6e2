"""The table of mutations follows the sources, though `make mutation` runs seldom."""

import mutations


def test_every_mutation_finds_its_text():
    mutations.check_table()
