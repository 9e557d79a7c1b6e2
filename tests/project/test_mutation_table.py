"""The table of mutations follows the sources, though `make mutation` runs seldom."""

from tests.programs import mutations


def test_every_mutation_finds_its_text():
    mutations.check_table()


def test_the_copy_of_the_core_configures(tmp_path):
    mutations.NativeCopy(tmp_path / "copy")
